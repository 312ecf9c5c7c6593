# status: import
# slow: it waits
while True:
    pass
