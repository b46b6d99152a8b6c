"""What each process does between its start and its end. A module per role imports what that role uses, and no other
role's rooms.
"""
