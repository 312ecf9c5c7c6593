"""How a part of somebody's code is called, as data: its arguments, where its arrays lie, what a failed call says."""
