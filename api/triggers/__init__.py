"""What stands between schedules and events on one side and runs on the other."""
