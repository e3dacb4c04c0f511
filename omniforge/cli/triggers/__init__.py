"""What starts runs beside people: schedules and events."""
