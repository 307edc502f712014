"""What hypothesis draws from, of everything that can happen to a station."""

from __future__ import annotations

from hypothesis import strategies as st

from agent.charging import variables as v
from agent.charging.types import AuthorizationStatus, Fault, IdToken, IdTokenInfo

from .harness import START_MS

EVSES = st.sampled_from([1, 1, 1, 2, 2, 3])  # 3 does not exist
TOKENS = st.sampled_from([IdToken("ANNA"), IdToken("BEN"), IdToken("CARL")])
INFOS = st.builds(
    IdTokenInfo,
    st.sampled_from([AuthorizationStatus.ACCEPTED] * 3 + [AuthorizationStatus.BLOCKED]),
    st.none() | st.integers(START_MS - 1000, START_MS + 100_000),
    st.none() | st.just(IdToken("FAMILY")),
)
FAULTS = st.sampled_from(
    [
        Fault("GroundFailure"),
        Fault("PowerSwitchFailure", "ContactorWelded"),
        Fault("PowerSwitchFailure", "ContactorLost"),
        Fault("PowerMeterFailure", blocking=False),
        Fault("WeakSignal", blocking=False),
    ]
)
SETTINGS = st.fixed_dictionaries(
    {
        v.STOP_TX_ON_EV_SIDE_DISCONNECT: st.sampled_from(["true", "false"]),
        v.UNLOCK_ON_EV_SIDE_DISCONNECT: st.sampled_from(["true", "false"]),
        v.STOP_TX_ON_INVALID_ID: st.sampled_from(["true", "false"]),
        v.MAX_ENERGY_ON_INVALID_ID: st.sampled_from(["0", "500"]),
        v.LOCAL_PRE_AUTHORIZE: st.sampled_from(["true", "false"]),
        v.OFFLINE_TX_FOR_UNKNOWN_ID_ENABLED: st.sampled_from(["true", "false"]),
        v.AUTHORIZE_REMOTE_START: st.sampled_from(["true", "false"]),
        v.TX_START_POINT: st.sampled_from(["PowerPathClosed"] * 3 + ["EVConnected", "Authorized"]),
        v.TX_STOP_POINT: st.sampled_from(["EVConnected,Authorized", "EVConnected"]),
        v.ALIGNED_INTERVAL: st.sampled_from(["0", "60", "25200"]),
        v.SAMPLED_TX_UPDATED_INTERVAL: st.sampled_from(["0", "1", "17"]),
        v.METER_FAILURE_GRACE: st.sampled_from(["0", "20"]),
        v.MINIMUM_STATUS_DURATION: st.sampled_from(["0", "3"]),
    }
)
