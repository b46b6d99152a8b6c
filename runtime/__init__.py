"""Runtime: the top floor. Settings, wiring, processes, schedules, migrations and the command line; everything meets
here.
"""
