"""What ``pytest --asyncguard example_app`` is expected to find, and so, what it is not.

Each row of ``EXPECTED`` is one finding. Its line is the one that ends in ``# blocks: MARKER``, so
that code can move freely. A row counts only once its rule exists. ``UNEXERCISED`` lists the
endpoints that no test asks for; every other endpoint of the app without a row is clean.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PACKAGE = Path(__file__).parent
MARKER = re.compile(r"# blocks: ([a-z0-9-]+)$")

CODES = {
    "sleep": "AG101",
    "sync-client": "AG102",
    "sync-database": "AG103",
    "socket": "AG104",
    "subprocess": "AG105",
    "thread-wait": "AG106",
    "password-hash": "AG107",
    "tls-context": "AG109",
    "file": "AG110",
    "cpu-stall": "AG201",
    "blocked-stall": "AG202",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One finding: which rule, which call, on which line, in which part of which request.

    ``hint`` is what the report says to write instead, or how that begins.
    """

    marker: str
    rule: str
    call: str | None
    file: str
    function: str
    route: str
    hint: str
    phase: str = "endpoint"
    severity: Literal["error", "warning"] = "error"

    @property
    def code(self) -> str:
        """The code of the rule that finds it, and that must exist for the row to count."""
        return CODES[self.rule]

    @property
    def path(self) -> str:
        """The file, relative to the directory that holds the package."""
        return f"{PACKAGE.name}/{self.file}"

    @property
    def line(self) -> int:
        """The number of the marked line."""
        for number, marker in markers(PACKAGE / self.file):
            if marker == self.marker:
                return number
        raise LookupError(f"no line of {self.path} ends in '# blocks: {self.marker}'")


EXPECTED: tuple[Expected, ...] = (
    # --- sleep
    Expected(
        marker="sleep",
        rule="sleep",
        call="time.sleep",
        file="routers/orders.py",
        function="pay_blocking",
        route="POST /orders/{order_id}/payment/blocking",
        hint=(
            "`pay_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await asyncio.sleep(payments.SETTLING_SECONDS)`."
        ),
    ),
    Expected(
        marker="sleep-in-helper",
        rule="sleep",
        call="time.sleep",
        file="services/parcels.py",
        function="_wait_for_printer",
        route="POST /orders/{order_id}/parcel/blocking",
        hint=(
            "`pack_blocking` never awaits: make it a plain `def`, and it runs in a worker thread."
        ),
    ),
    Expected(
        marker="sleep-in-middleware",
        rule="sleep",
        call="time.sleep",
        file="middleware.py",
        function="SlowDownGuessing.__call__",
        route="GET /coupons/blocking/{code}",
        phase="middleware",
        hint="Use `await asyncio.sleep(self.pause)`.",
    ),
    Expected(
        marker="sleep-in-background",
        rule="sleep",
        call="time.sleep",
        file="services/receipts.py",
        function="send_blocking",
        route="POST /orders/{order_id}/receipt/blocking",
        phase="background",
        hint=(
            "`send_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await asyncio.sleep(PACE_SECONDS)`."
        ),
    ),
    Expected(
        marker="sleep-in-validator",
        rule="sleep",
        call="time.sleep",
        file="routers/returns.py",
        function="ReturnInChecked.is_served",
        route="POST /returns/blocking",
        phase="validation",
        hint=(
            "Validators run on the event loop: keep them to computing with what they are"
            " given, and look things up in a dependency or in the endpoint."
        ),
    ),
    Expected(
        marker="sleep-in-serializer",
        rule="sleep",
        call="time.sleep",
        file="routers/returns.py",
        function="RefundRounded.rounded",
        route="GET /returns/{return_id}/refund/blocking",
        phase="serialization",
        hint=(
            "`RefundRounded.rounded` runs on the event loop: do the work before, where it"
            " can be awaited or runs in a thread, and hand over the result."
        ),
    ),
    Expected(
        marker="sleep-in-handler",
        rule="sleep",
        call="time.sleep",
        file="routers/returns.py",
        function="on_far_too_late",
        route="GET /returns/after/{days}/blocking",
        phase="exception-handler",
        hint=(
            "`on_far_too_late` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await asyncio.sleep(couriers.PACE_SECONDS)`."
        ),
    ),
    Expected(
        marker="sleep-in-task",
        rule="sleep",
        call="time.sleep",
        file="services/couriers.py",
        function="call_blocking",
        route="POST /returns/{return_id}/pickup/blocking",
        phase="task",
        hint=(
            "`call_blocking` never awaits, so as a task it blocks the loop all the same:"
            " make it a plain `def`, and run it with `run_in_threadpool`; or use `await"
            " asyncio.sleep(PACE_SECONDS)`."
        ),
    ),
    # --- sync-client
    Expected(
        marker="supplier-client",
        rule="sync-client",
        call="httpx.Client.get",
        file="services/suppliers.py",
        function="Suppliers.stock",
        route="GET /suppliers/stock/{sku}/blocking",
        hint=(
            "`stock_blocking` never awaits: make it a plain `def`, and it runs in a worker thread."
        ),
    ),
    # --- sync-database
    Expected(
        marker="query",
        rule="sync-database",
        call="sqlalchemy.orm.Session.scalars",
        file="routers/products.py",
        function="list_blocking",
        route="GET /products/blocking",
        hint=(
            "`list_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await session.scalars(BY_SKU)`, with"
            " sqlalchemy.ext.asyncio.AsyncSession."
        ),
    ),
    Expected(
        marker="commit",
        rule="sync-database",
        call="sqlalchemy.orm.Session.commit",
        file="routers/orders.py",
        function="order_blocking",
        route="POST /orders/blocking",
        hint=(
            "`order_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await session.commit()`, with"
            " sqlalchemy.ext.asyncio.AsyncSession."
        ),
    ),
    Expected(
        marker="refresh",
        rule="sync-database",
        call="sqlalchemy.orm.Session.refresh",
        file="routers/orders.py",
        function="order_blocking",
        route="POST /orders/blocking",
        hint=(
            "`order_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await session.refresh(row)`, with"
            " sqlalchemy.ext.asyncio.AsyncSession."
        ),
    ),
    Expected(
        marker="query-in-dependency",
        rule="sync-database",
        call="sqlalchemy.orm.Session.scalar",
        file="dependencies.py",
        function="current_customer_blocking",
        route="GET /accounts/me/blocking",
        phase="dependency",
        hint=(
            "`current_customer_blocking` never awaits: make it a plain `def`, and it runs"
            " in a worker thread; or use `await session.scalar(owner)`, with"
            " sqlalchemy.ext.asyncio.AsyncSession."
        ),
    ),
    Expected(
        marker="query-in-stream",
        rule="sync-database",
        call="sqlalchemy.orm.Session.scalars",
        file="routers/products.py",
        function="_rows_blocking",
        route="GET /products/export/blocking",
        phase="stream",
        hint=(
            "`_rows_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await session.scalars(_page(offset))`, with"
            " sqlalchemy.ext.asyncio.AsyncSession."
        ),
    ),
    Expected(
        marker="query-in-websocket",
        rule="sync-database",
        call="sqlalchemy.orm.Session.scalar",
        file="routers/products.py",
        function="stock_blocking",
        route="WEBSOCKET /products/stock/blocking",
        phase="websocket",
        hint=(
            "Use `await session.scalar(wanted)`, with sqlalchemy.ext.asyncio.AsyncSession,"
            " or one plain function for all its queries, called by `await"
            " run_in_threadpool(...)`."
        ),
    ),
    Expected(
        marker="archive-connect",
        rule="sync-database",
        call="sqlite3.connect",
        file="services/archive.py",
        function="count_orders",
        route="GET /orders/archive/blocking",
        hint=(
            "`archive_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread."
        ),
    ),
    Expected(
        marker="archive-query",
        rule="sync-database",
        call="sqlite3.execute",
        file="services/archive.py",
        function="count_orders",
        route="GET /orders/archive/blocking",
        hint=(
            "`archive_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread."
        ),
    ),
    Expected(
        marker="start-up-tables",
        rule="sync-database",
        call="sqlalchemy.MetaData.create_all",
        file="shop.py",
        function="open_shop",
        route="LIFESPAN",
        phase="lifespan",
        severity="warning",
        hint=(
            "Use `await connection.run_sync(Base.metadata.create_all)`, with"
            " sqlalchemy.ext.asyncio.AsyncEngine, or one plain function for all its queries,"
            " called by `await run_in_threadpool(...)`."
        ),
    ),
    # --- socket
    Expected(
        marker="socket",
        rule="socket",
        call="socket.create_connection",
        file="routers/warehouse.py",
        function="scanner_blocking",
        route="GET /warehouse/scanner/blocking",
        hint=(
            "`scanner_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread; or use `await asyncio.open_connection(...)`."
        ),
    ),
    # --- subprocess
    Expected(
        marker="invoice-renderer",
        rule="subprocess",
        call="subprocess.run",
        file="services/invoices.py",
        function="render",
        route="GET /orders/{order_id}/invoice/blocking",
        hint=(
            "`invoice_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread."
        ),
    ),
    # --- thread-wait
    Expected(
        marker="future",
        rule="thread-wait",
        call="concurrent.futures.Future.result",
        file="routers/orders.py",
        function="quote_blocking",
        route="GET /orders/quote/blocking",
        hint=(
            "`quote_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await asyncio.wrap_future(...)`."
        ),
    ),
    Expected(
        marker="queue",
        rule="thread-wait",
        call="queue.Queue.get",
        file="routers/warehouse.py",
        function="next_pick_blocking",
        route="GET /warehouse/picks/blocking",
        hint=(
            "`next_pick_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread; or use `await queue.get()`, with asyncio.Queue."
        ),
    ),
    Expected(
        marker="event",
        rule="thread-wait",
        call="threading.Event.wait",
        file="routers/warehouse.py",
        function="door_blocking",
        route="GET /warehouse/door/blocking",
        hint=(
            "`door_blocking` never awaits: make it a plain `def`, and it runs in a worker"
            " thread; or use `await event.wait()`, with asyncio.Event."
        ),
    ),
    # --- password-hash: the tests lower the cost, so that no clock sees it either
    Expected(
        marker="scrypt",
        rule="password-hash",
        call="hashlib.scrypt",
        file="services/passwords.py",
        function="_scrypt",
        route="POST /accounts/blocking",
        hint=(
            "Hashing a password is slow by design. `hash_password` is not async: in"
            " `sign_up_blocking`, write `await run_in_threadpool(passwords.hash_password,"
            " form.password, cost=settings.scrypt_cost)`."
        ),
    ),
    Expected(
        marker="pbkdf2",
        rule="password-hash",
        call="hashlib.pbkdf2_hmac",
        file="services/passwords.py",
        function="_pbkdf2",
        route="POST /accounts/login/blocking",
        hint=(
            "Hashing a password is slow by design. `verify` is not async: in"
            " `log_in_blocking`, write `await run_in_threadpool(passwords.verify,"
            " form.password, customer.password)`."
        ),
    ),
    # --- tls-context: an error, since the same line does it request after request
    Expected(
        marker="tls-context",
        rule="tls-context",
        call="ssl.create_default_context",
        file="routers/suppliers.py",
        function="ping_blocking",
        route="GET /suppliers/ping/blocking",
        hint=(
            "Make the client, or its SSL context, once (at import or in the lifespan) and"
            " share it: loading the CA certificates takes 20 ms and more."
        ),
    ),
    # --- file
    Expected(
        marker="upload",
        rule="file",
        call="open",
        file="routers/media.py",
        function="store_blocking",
        route="PUT /media/{product_id}/blocking",
        severity="warning",
        hint='Use `async with await anyio.open_file(_target(settings, product_id), "wb")`.',
    ),
    # --- stalls, which no call explains
    Expected(
        marker="forecast",
        rule="cpu-stall",
        call=None,
        file="services/forecast.py",
        function="demand",
        route="GET /admin/forecast/blocking",
        hint=(
            "`forecast_blocking` never awaits: make it a plain `def`, and it runs in a"
            " worker thread. What computes for long in Python belongs in a process."
        ),
    ),
    Expected(
        marker="price-lock",
        rule="blocked-stall",
        call=None,
        file="services/prices.py",
        function="PriceCache.get",
        route="GET /products/{sku}/price/blocking",
        hint=(
            "`price_blocking` never awaits: make it a plain `def`, and it runs in a worker thread."
        ),
    ),
)

SAMPLE = ("GET /", "GET /sync", "GET /async", "GET /wait")

UNEXERCISED = (
    "DELETE /products/{sku}",
    "GET /admin/figures",
    "POST /orders/{order_id}/refund",
)


def expected(built: frozenset[str]) -> tuple[Expected, ...]:
    """The rows whose rules exist."""
    return tuple(row for row in EXPECTED if row.rule in built)


def verdict(route: str, rows: tuple[Expected, ...]) -> str:
    """What the census says of an endpoint, if those rows are found."""
    if route in UNEXERCISED:
        return "unexercised"
    severities = {row.severity for row in rows if row.route == route}
    if "error" in severities:
        return "blocks"
    return "warns" if severities else "clean"


def markers(file: Path) -> list[tuple[int, str]]:
    """The marked lines of a file, by number and marker."""
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
    return [(number, match[1]) for number, line in lines if (match := MARKER.search(line))]
