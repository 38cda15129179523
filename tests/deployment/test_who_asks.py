"""Whom the balancer believes what it is told of a visitor: nobody, or the ingress before it."""

from servers.shipped_balancer import running


def test_what_strangers_say_of_themselves_is_not_believed(balancer):
    """Address and identity come from the balancer; host and request id pass."""
    said = {
        "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Asked-By": "admin", "Host": "guide.example.org",
        "X-Request-ID": "abc", "X-Only-Collections": '["east"]',
    }  # fmt: skip
    with balancer.client(8080) as client:
        client.get("/health/live", headers=said)

    (headers,) = [headers for replica in balancer.replicas.values() for _, _, headers in replica.heard]
    assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "http")
    assert not {"X-Asked-By", "X-Only-Collections"} & headers.keys()
    assert (headers["Host"], headers["X-Request-ID"]) == ("guide.example.org", "abc")


def test_behind_an_ingress_the_visitors_address_arrives(tmp_path):
    """In Kubernetes the same configuration runs with other upstreams, and believes pods and nodes only."""
    with running(tmp_path, "kubernetes") as balancer:
        with balancer.client(8080) as client:
            # The test is no pod: its word is not taken.
            said = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
            assert client.get("/", headers=said).text == "gateway-a"
        with balancer.client(8002) as client:
            assert client.post("/verify", content=b"photo").text == "m3-a"
        with balancer.client(8001) as client:
            assert client.post("/search", content=b"photo").text == "m1-a"
            assert client.get("/collections/a/health").text == "m1-a"
        ((_, _, headers),) = balancer.replicas["gateway-a"].heard
        assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


def test_an_ingress_is_believed(tmp_path):
    """Where TLS ended at the ingress the gateway hears of it, and of the visitor's address."""
    with running(tmp_path, "kubernetes", is_ingress=True) as balancer, balancer.client(8080) as client:
        for scheme in ("https", "http", "gopher"):
            client.get("/", headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": scheme})
        client.get("/")

    told = [headers for _, _, headers in balancer.replicas["gateway-a"].heard]
    assert [headers["X-Forwarded-Proto"] for headers in told] == ["https", "http", "http", "http"]
    assert [headers["X-Forwarded-For"] for headers in told] == ["203.0.113.9"] * 3 + ["127.0.0.1"]
