"""evse-agent: the OCPP charge-point agent for an EV charger's Linux controller."""

__version__ = "0.1.0"
