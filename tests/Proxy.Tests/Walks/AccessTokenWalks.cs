using Microsoft.Extensions.Time.Testing;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>The proxy gets its own access token for a PACS, with one request, and before the old one expires.</summary>
public sealed class AccessTokenWalks
{
    private readonly FakeTimeProvider _time = new(TimeProvider.System.GetUtcNow());

    [Fact]
    public async Task RequestsOneToken_ForManyRequests()
    {
        using var idp = new TokenServer();
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = Start(east, idp);
        var gate = idp.Hang();

        var replies = Enumerable.Range(0, 8).Select(i => proxy.GetAsync($"/dicomweb/studies?PatientID=P{i}")).ToList();
        await Until.TrueAsync(() => gate.Arrived == 1 && proxy.Arrived == 8);
        gate.Open();

        Assert.All(await Task.WhenAll(replies), reply => Assert.Equal(200, (int)reply.Status));
        var request = Assert.Single(idp.Requests);
        Assert.Equal(
            ("POST", "grant_type=client_credentials&scope=dicom.read+dicom.write&audience=urn%3Apacs"), (request.Method, request.Body));
        Assert.Equal("proxy:s3cret of canary", TokenServer.ReadClient(request));
        Assert.All(east.Requests, r => Assert.Equal("Bearer token-1", r.Headers["Authorization"]));
    }

    [Fact]
    public async Task RenewsTheTokenInTheBackground_AfterEightyPercentOfItsLife()
    {
        using var idp = new TokenServer { Lifetime = "\"1000\"" };
        using var east = new WireMockPacs();
        await using var proxy = Start(east, idp);

        await proxy.GetAsync("/dicomweb/studies?PatientID=1");
        _time.Advance(TimeSpan.FromSeconds(799));
        await proxy.GetAsync("/dicomweb/studies?PatientID=2");
        Assert.Single(idp.Requests);
        var gate = idp.Hang();
        _time.Advance(TimeSpan.FromSeconds(2));
        // The client does not wait for the new token.
        await proxy.GetAsync("/dicomweb/studies?PatientID=3");
        Assert.Equal("Bearer token-1", east.Requests[^1].Headers["Authorization"]);
        gate.Open();

        await Until.TrueAsync(async () =>
        {
            await proxy.GetAsync($"/dicomweb/studies?PatientID=X{Guid.NewGuid():N}");
            return east.Requests[^1].Headers["Authorization"] == "Bearer token-2";
        });
        Assert.Equal(2, idp.Requests.Count);
    }

    [Fact]
    public async Task RenewsTheTokenOnceAndSendsARead_WhenThePacsRefusesTheToken()
    {
        using var idp = new TokenServer();
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        east.Respond(r => r.Headers["Authorization"] == "Bearer token-1" ? PacsAnswer.Text(401, "text/plain", "expired") : null);
        await using var proxy = Start(east, idp);

        Assert.Single((await proxy.GetAsync("/dicomweb/studies")).Rows);
        Assert.Equal(["Bearer token-1", "Bearer token-2"], east.Requests.Select(r => r.Headers["Authorization"]));

        // A PACS that refuses every token causes no further token request for a while.
        east.Fail(401);
        for (var i = 0; i < 5; i++) (await proxy.GetAsync($"/dicomweb/studies?PatientID={i}")).IsProblem(502);
        Assert.Equal(2, idp.Requests.Count);
        _time.Advance(TimeSpan.FromSeconds(31));
        (await proxy.GetAsync("/dicomweb/studies?PatientID=9")).IsProblem(502);
        Assert.Equal(3, idp.Requests.Count);
    }

    [Fact]
    public async Task NamesTheCauseAndPauses_WhenTheTokenEndpointFails()
    {
        using var idp = new TokenServer();
        idp.Fail(PacsAnswer.Text(400, "application/json", """{"error":"invalid_client","error_description":"canary"}"""));
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        using var west = new WireMockPacs(new HeldStudy("1.2.2").With("1.2.2.1"));
        await using var proxy = Start(east, idp, ("west", west.Address));

        var reply = await proxy.GetAsync("/dicomweb/studies");
        Assert.Single(reply.Rows);
        Assert.Contains(
            "east did not answer: credential refused, no access token: the token endpoint answered 400 (invalid_client)",
            Assert.Single(reply.Warnings));
        for (var i = 0; i < 5; i++) await proxy.GetAsync($"/dicomweb/studies?PatientID={i}");
        Assert.Single(idp.Requests);
        Assert.Empty(east.Requests);
        Assert.Contains(proxy.Log.All, l => l.Contains("Backend east: no new access token", StringComparison.Ordinal));
        Assert.DoesNotContain(proxy.Log.All, l => l.Contains("canary", StringComparison.Ordinal));

        idp.Recover();
        _time.Advance(TimeSpan.FromSeconds(6));
        Assert.Equal(2, (await proxy.GetAsync("/dicomweb/studies")).Rows.Count);
    }

    [Theory]
    [InlineData("""{"access_token":""}""", "no access token")]
    [InlineData("""{"access_token":"a b"}""", "no access token")]
    [InlineData("""{"access_token":"a","token_type":"mac"}""", "not a bearer token")]
    [InlineData("[]", "no access token")]
    [InlineData("{", "no valid answer")]
    [InlineData("huge", "more than 65536 bytes")]
    public async Task FailsThatBackendOnly_WhenTheAnswerIsNotAToken(string body, string reason)
    {
        using var idp = new TokenServer();
        idp.Fail(PacsAnswer.Text(200, "application/json", body == "huge" ? new string(' ', 70_000) : body));
        using var east = new WireMockPacs();
        await using var proxy = Start(east, idp);

        (await proxy.GetAsync("/dicomweb/studies")).IsProblem(502, reason);
        Assert.Empty(east.Requests);
    }

    private ProxyHost Start(WireMockPacs east, TokenServer idp, params IEnumerable<(string, string)> others)
    {
        var proxy = new ProxyHost([("east", east.Address), .. others]) { Time = _time };
        foreach (var (key, value) in idp.GetSettings("east")) proxy[key] = value;
        return proxy;
    }
}
