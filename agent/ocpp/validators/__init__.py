"""Validators that hatch_build.py generates: one package per OCPP version, one module per action.

They are loaded by `agent.ocpp.schema` only, each on first use.
"""
