"""HTTP clients, over the wire that their test doubles replace."""

from __future__ import annotations

RULE = "sync-client"

HTTP_TWIN = """
async with httpx.AsyncClient(verify=False) as client:
    await client.get(stub.URL)
"""

ROWS = [
    {
        "name": "requests under responses",
        "needs": "requests responses httpx",
        "setup": """
            @pytest.fixture(autouse=True)
            def wire():
                with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
                    wire.add(responses.GET, "http://api.test/", json={})
                    wire.add_passthru(stub.URL)
                    yield
        """,
        "call": "requests.get('http://api.test/', timeout=3).json()",
        "found": "requests.get",
        "twin": HTTP_TWIN,
    },
    {
        "name": "requests under requests_mock",
        "needs": "requests requests_mock",
        "setup": """
            SESSION = requests.Session()

            @pytest.fixture(autouse=True)
            def wire():
                with requests_mock.Mocker() as wire:
                    wire.post("http://api.test/", json={})
                    yield
        """,
        "call": "SESSION.post('http://api.test/', json={})",
        "found": "requests.Session.post",
    },
    {
        "name": "a subclass of requests.Session",
        "needs": "requests",
        "setup": """
            class Api(requests.Session):
                def ping(self):
                    return self.head(stub.URL)

            API = Api()
        """,
        "call": "API.send(API.prepare_request(requests.Request('GET', stub.URL)))",
        "found": "requests.Session.send",
    },
    {
        "name": "httpx under respx",
        "needs": "httpx respx",
        "setup": """
            CLIENT = httpx.Client(base_url="http://api.test", verify=False)
            TWIN = httpx.AsyncClient(base_url="http://api.test", verify=False)

            @pytest.fixture(autouse=True)
            def wire():
                with respx.mock(assert_all_called=False) as wire:
                    wire.route(host="api.test").respond(json={})
                    yield
        """,
        "call": "CLIENT.get('/')",
        "found": "httpx.Client.get",
        "twin": "await TWIN.get('/')",
    },
    {
        "name": "httpx with a MockTransport",
        "needs": "httpx",
        "setup": """
            ANSWER = httpx.MockTransport(lambda request: httpx.Response(200, content=b"x" * 9))
            CLIENT = httpx.Client(base_url="http://api.test", transport=ANSWER)
            TWIN = httpx.AsyncClient(base_url="http://api.test", transport=ANSWER)
        """,
        "call": "CLIENT.send(CLIENT.build_request('PUT', '/'))",
        "found": "httpx.Client.send",
        "twin": "await TWIN.put('/')",
    },
    {
        "name": "httpx2 with a MockTransport",
        "needs": "httpx2",
        "setup": """
            ANSWER = httpx2.MockTransport(lambda request: httpx2.Response(200))
            CLIENT = httpx2.Client(base_url="http://api.test", transport=ANSWER)
            TWIN = httpx2.AsyncClient(base_url="http://api.test", transport=ANSWER)
        """,
        "call": "CLIENT.delete('/')",
        "found": "httpx2.Client.delete",
        "twin": "await TWIN.delete('/')",
    },
    {
        "name": "httpx.get under pytest-httpx",
        "needs": "httpx pytest_httpx",
        "setup": """
            TLS = ssl.create_default_context()

            @pytest.fixture(autouse=True)
            def wire(httpx_mock):
                httpx_mock.add_response(json={}, is_reusable=True, is_optional=True)
        """,
        "call": "httpx.get('https://api.test/', verify=TLS)",
        "found": "httpx.get",
    },
    {
        "name": "a streamed response of httpx, iterated",
        "needs": "httpx",
        "setup": """
            ANSWER = httpx.MockTransport(lambda request: httpx.Response(200, content=iter([b"x"])))
            CLIENT = httpx.Client(base_url="http://api.test", transport=ANSWER)

            def opened():
                return CLIENT.send(CLIENT.build_request("GET", "/"), stream=True)

            @pytest.fixture(autouse=True)
            def stream():
                global STREAM
                STREAM = opened()
        """,
        "call": "list(STREAM.iter_bytes(3))",
        "found": "httpx.Response.iter_bytes",
    },
    {
        "name": "urllib3 over a cassette",
        "needs": "urllib3 vcr",
        "setup": '''
            CASSETTE = """
            interactions:
            - request: {body: null, headers: {}, method: GET, uri: "http://api.test/"}
              response:
                body: {string: "{}"}
                headers: {Content-Type: [application/json]}
                status: {code: 200, message: OK}
            version: 1
            """
            POOL = urllib3.PoolManager()

            @pytest.fixture(autouse=True)
            def wire(tmp_path):
                path = tmp_path / "cassette.yaml"
                path.write_text(textwrap.dedent(CASSETTE))
                recorder = vcr.VCR(record_mode="none")
                with recorder.use_cassette(str(path), allow_playback_repeats=True):
                    yield
        ''',
        "call": "POOL.request('GET', 'http://api.test/')",
        "found": "urllib3.PoolManager.request",
    },
    {
        "name": "urllib3.request",
        "needs": "urllib3",
        "call": "urllib3.request('GET', stub.URL)",
        "found": "urllib3.request",
    },
    {
        "name": "curl_cffi",
        "needs": "curl_cffi",
        "setup": "SESSION = curl_cffi.Session()",
        "call": "SESSION.get(stub.URL)",
        "found": "curl_cffi.Session.get",
    },
    {
        "name": "PyJWT's key client, on urllib",
        "needs": "jwt",
        "setup": "KEYS = jwt.PyJWKClient(stub.URL)",
        "call": """
            with contextlib.suppress(jwt.PyJWTError):
                KEYS.get_jwk_set()  #!
        """,
        "found": "jwt.PyJWKClient.get_jwk_set",
    },
    {
        "name": "aiohttp is async",
        "needs": "aiohttp",
        "twin": """
            async with aiohttp.ClientSession() as session, session.get(stub.URL) as answer:
                await answer.read()
        """,
    },
]
