"""Studies with a loop of their own: functions of a configuration and a folder, named by its field `task`."""
