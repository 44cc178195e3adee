"""The engine room: input tables in, panels and cells out. The only room that knows the engine."""
