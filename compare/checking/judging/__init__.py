"""What a subject is asked, and what its answers are held against: rows, conventions, the defect that explains them."""
