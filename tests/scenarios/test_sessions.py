from __future__ import annotations
from .site import CARD, Site

async def test_plug(site: Site) -> None:
    start = await site.charge()
    await site.swipe()
    await site.wait_for("StopTransaction")
    await site.shows(1, "Finishing")
    await site.plug_out()
    await site.shows(1, "Available")
    await site.settled()
    print("\n".join(map(str, site.station.messages)))
    site.csms.ledger.assert_clean()
