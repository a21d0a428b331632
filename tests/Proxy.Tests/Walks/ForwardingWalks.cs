using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Requests without an endpoint in the proxy: forwarded only if the allow list has them.</summary>
public sealed class ForwardingWalks : IDisposable
{
    private const string Root = "/backends/east/dicomweb";

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1"));

    private readonly WireMockPacs _west = new();

    private readonly ProxyHost _proxy;

    public ForwardingWalks() => _proxy = new(("east", _east.Address), ("west", _west.Address))
    {
        ["Backends:east:Forward"] = "true",
        ["Backends:east:Authentication:Scheme"] = "Bearer",
        ["Backends:east:Authentication:Token"] = "token-1",
    };

    public void Dispose()
    {
        _proxy.Dispose();
        _east.Dispose();
        _west.Dispose();
    }

    [Theory]
    [InlineData("GET", "/workitems?ScheduledProcedureStepStatus=*a,b*", "")]
    [InlineData("POST", "/workitems/1.2.3/cancelrequest", "a body")]
    [InlineData("DELETE", "/studies/1.2.1", "")]
    [InlineData("POST", "/studies/1.2.1/series/1.2.1.1/reject/113001%5EDCM", "")]
    [InlineData("POST", "/workitems", "a body")]
    [InlineData("PUT", "/workitems/1.2.3/state", "a body")]
    [InlineData("DELETE", "/workitems/1.2.3/subscribers/AE_1", "")]
    [InlineData("GET", "/hanging-protocols/1.2.3", "")]
    public async Task ForwardsRequestsOnTheAllowList(string method, string path, string body)
    {
        _east.Respond(PacsAnswer.Text(
            202, "application/x-vendor", "<b>unchanged</b>") with
        { Headers = [("Set-Cookie", "session=1"), ("X-Vendor", "dropped"), ("Content-Language", "kept")] });

        var reply = await _proxy.SendAsync(
            new HttpMethod(method), Root
                + path,
                [("Accept", "application/x-vendor"), ("Cookie", "session=evil"), ("Authorization", "Bearer users-own"),
                ("User-Agent", "evil/1.0"), ("X-Forwarded-For", "1.2.3.4")],
            body.Length > 0 ? body : null);

        Assert.Equal(202, (int)reply.Status);
        Assert.Equal("<b>unchanged</b>", reply.Text);
        Assert.Equal("application/octet-stream", reply["Content-Type"]);
        Assert.Equal("kept", reply["Content-Language"]);
        Assert.Equal("", reply["X-Vendor"]);
        Assert.Equal("", reply["Set-Cookie"]);
        Assert.Equal("", reply["Server"]);
        var request = Assert.Single(_east.Requests);
        Assert.Equal(method, request.Method);
        Assert.Equal(Uri.UnescapeDataString(path.Split('?')[0]), "/" + Uri.UnescapeDataString(request.Path));
        Assert.Equal(body, request.Body);
        Assert.Equal("application/x-vendor", request.Headers["Accept"]);
        Assert.Equal("Bearer token-1", request.Headers["Authorization"]);
        Assert.Equal($"127.0.0.1:{_east.Port}", request.Headers["Host"]);
        Assert.DoesNotContain("Cookie", request.Headers.Keys);
        Assert.DoesNotContain(
            request.Headers,
            h => h.Value.Contains("evil", StringComparison.Ordinal) || h.Value.Contains("1.2.3.4", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ForwardsTheQueryUnchanged()
    {
        await _proxy.GetAsync(Root + "/workitems?PatientName=*DOE%5EJ*&a=b,c");

        Assert.Equal("?PatientName=*DOE%5EJ*&a=b,c", Assert.Single(_east.Requests).Query);
    }

    [Theory]
    [InlineData("GET", "/backends/west/dicomweb/workitems", 404)]
    [InlineData("POST", "/backends/west/dicomweb/workitems", 404)]
    [InlineData("DELETE", "/backends/west/dicomweb/studies/1.2.1", 405)]
    [InlineData("GET", "/dicomweb/workitems", 404)]
    [InlineData("GET", "/backends/north/dicomweb/workitems", 404)]
    [InlineData("GET", "/backends/east/workitems", 404)]
    [InlineData("GET", "/backends/east/dicomweb/../../system", 400)]
    [InlineData("GET", "/backends/east/dicomweb/%2e%2e/system", 400)]
    [InlineData("GET", "/backends/east/dicomweb//system", 404)]
    [InlineData("GET", "/backends/east/dicomweb/studies//system", 400)]
    [InlineData("GET", "/backends/east/dicomweb/system", 404)]
    [InlineData("GET", "/backends/east/dicomweb/servers", 404)]
    [InlineData("POST", "/backends/east/dicomweb/servers/evil/stow", 404)]
    [InlineData("GET", "/backends/east/dicomweb/servers/evil/studies", 404)]
    [InlineData("GET", "/backends/east/dicomweb/instances/0123/file", 404)]
    [InlineData("POST", "/backends/east/dicomweb/studies/1.2.1/export/evil", 404)]
    [InlineData("GET", "/backends/east/dicomweb/workitems/1.2.3/subscribers/AE_1", 405)]
    [InlineData("DELETE", "/backends/east/dicomweb/studies", 405)]
    [InlineData("DELETE", "/backends/east/dicomweb/studies/..;x", 404)]
    [InlineData("PUT", "/backends/east/dicomweb/studies/1.2.1/metadata", 405)]
    [InlineData("TRACE", "/backends/east/dicomweb/workitems", 405)]
    public async Task RefusesAllOtherRequests(string method, string path, int status)
    {
        (await _proxy.SendAsync(new HttpMethod(method), path, [])).IsProblem(status);

        Assert.Empty(_west.Requests);
        Assert.Empty(_east.Requests);
    }

    [Fact]
    public async Task AnswersItsOwnEndpointsItself()
    {
        var reply = await _proxy.GetAsync(Root + "/studies");

        Assert.Equal("Proxy; fwd=miss; stored", reply.CacheStatus);
        Assert.Equal($"{_proxy.Address}{Root}/studies/1.2.1", (string)reply.Rows[0]!["00081190"]!["Value"]![0]!);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(404)]
    [InlineData(409)]
    [InlineData(503)]
    public async Task ForwardsTheStatusOfThePacs(int status)
    {
        _east.Respond(PacsAnswer.Text(status, "text/plain", ""));

        var reply = await _proxy.GetAsync(Root + "/workitems");

        reply.IsProblem(status);
    }

    [Fact]
    public async Task ReturnsAProblem_WhenThePacsIsDead()
    {
        _east.Dispose();

        (await _proxy.GetAsync(Root + "/workitems")).IsProblem(502);
    }
}
