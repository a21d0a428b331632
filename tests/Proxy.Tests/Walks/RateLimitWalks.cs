using System.Net;
using Proxy.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>A user with too many requests gets 429; other users and health checks do not notice.</summary>
public sealed class RateLimitWalks
{
    [Fact]
    public async Task RefusesRequestsOverTheRate_OfThatUserOnly()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = Start(east);
        proxy["Security:RateLimits:RequestsPerSecond"] = "1";
        proxy["Security:RateLimits:Burst"] = "2";

        Reply? refused = null;
        for (var i = 0; i < 20 && refused is null; i++)
        {
            var reply = await proxy.GetAsync("/dicomweb/studies", ("X-Test-User", "crawler"));
            if (reply.Status == HttpStatusCode.TooManyRequests) refused = reply;
        }

        Assert.NotNull(refused);
        refused.IsProblem(429, "Security:RateLimits");
        Assert.Equal("1", refused["Retry-After"]);
        Assert.Equal("nosniff", refused["X-Content-Type-Options"]);
        Assert.Equal(200, (int)(await proxy.GetAsync("/dicomweb/studies", ("X-Test-User", "anna"))).Status);
    }

    [Fact]
    public async Task RefusesRequestsOverTheRate_OfAnAddressWithoutAuthentication()
    {
        using var east = new WireMockPacs(new HeldStudy("1.2.1").With("1.2.1.1"));
        await using var proxy = new ProxyHost(("east", east.Address))
        {
            ["Security:RateLimits:RequestsPerSecond"] = "1",
            ["Security:RateLimits:Burst"] = "2",
        };

        await Until.TrueAsync(async () => (await proxy.GetAsync("/dicomweb/studies")).Status == HttpStatusCode.TooManyRequests);
        for (var i = 0; i < 20; i++) Assert.Equal(200, (int)(await proxy.GetAsync("/health/live")).Status);
    }

    [Fact]
    public async Task RunsAsManyRequestsOfAUserAtOnceAsAllowed_AndTheOthersAfterwards()
    {
        using var east = new WireMockPacs();
        await using var proxy = Start(east);
        proxy["Security:RateLimits:Concurrency"] = "2";
        var gate = east.Hang("studies");

        var mine = Enumerable.Range(0, 6)
            .Select(i => proxy.GetAsync($"/dicomweb/studies?PatientID={i}", ("X-Test-User", "crawler"))).ToList();
        await Until.TrueAsync(() => gate.Arrived == 2 && proxy.Arrived == 6);
        var other = proxy.GetAsync("/dicomweb/studies?PatientID=9", ("X-Test-User", "anna"));
        await Until.TrueAsync(() => gate.Arrived == 3);
        gate.Open();

        Assert.All(await Task.WhenAll([.. mine, other]), reply => Assert.Equal(200, (int)reply.Status));
        Assert.InRange(east.Peak, 3, 3);
    }

    private static ProxyHost Start(WireMockPacs east) => new(("east", east.Address))
    {
        // The limit of the address is ten times that of a user; here users authenticate by a header of the test.
        ["Security:KnownProxies:0"] = "127.0.0.1",
        Identify = request =>
        {
            var user = request.Headers["X-Test-User"].ToString();
            // Each user has an address of their own.
            request.Headers["X-Forwarded-For"] = user == "anna" ? "10.0.0.1" : "10.0.0.2";
            return new Caller(user, Roles.All) { Key = user };
        },
    };
}
