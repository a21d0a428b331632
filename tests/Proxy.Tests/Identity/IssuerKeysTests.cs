using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Identity;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Identity;

/// <summary>When the keys of an issuer are read, and which keys are in use.</summary>
public sealed class IssuerKeysTests : IAsyncLifetime
{
    private readonly FakeTimeProvider _time = new();
    private IssuerSite _site = null!;

    public async ValueTask InitializeAsync() => _site = await IssuerSite.StartAsync();

    public ValueTask DisposeAsync() => _site.DisposeAsync();

    [Fact]
    public async Task ReadsTheKeys_OnceForAllThatWait()
    {
        _site.Gate = new();
        using var keys = Make();

        Task<TrustedKeys?>[] readings = [keys.RefreshAsync(), keys.RefreshAsync(), keys.RefreshAsync()];
        _site.Gate.Open();
        var trusted = await Task.WhenAll(readings);

        Assert.All(trusted, t => Assert.Equal((_site.Address, 1), (t!.Issuer, t.Keys.Length)));
        Assert.Equal(2, _site.Requests);
    }

    [Fact]
    public async Task ReadsNotAgain_BeforeTheCoolDownEnds()
    {
        using var keys = Make();
        await keys.RefreshAsync();
        _site.Issuer.Rotate(IssuerKey.Ec("ec-2"));

        for (var i = 0; i < 1000; i++) await keys.RefreshAsync();
        var before = (_site.Requests, keys.Known!.Keys.Length);
        _time.Advance(IssuerKeys.CoolDown);
        await keys.RefreshAsync();

        Assert.Equal((2, 1), before);
        Assert.Equal((4, 2), (_site.Requests, keys.Known!.Keys.Length));
    }

    [Theory]
    [InlineData("down")]
    [InlineData("no JSON")]
    [InlineData("no keys")]
    [InlineData("shared keys only")]
    [InlineData("too large")]
    [InlineData("another issuer")]
    [InlineData("insecure keys")]
    public async Task KeepsTheKnownKeys_WhenTheIssuerFails(string failure)
    {
        using var keys = Make();
        await keys.RefreshAsync();
        var known = keys.Known;
        Fail(failure);

        _time.Advance(IssuerKeys.CoolDown);
        var trusted = await keys.RefreshAsync();

        Assert.NotNull(known);
        Assert.Same(known, trusted);
        Assert.True(_site.Requests > 2);
    }

    [Theory]
    [InlineData("down")]
    [InlineData("shared keys only")]
    [InlineData("another issuer")]
    public async Task KnowsNoKey_UntilTheIssuerAnswers(string failure)
    {
        Fail(failure);
        using var keys = Make();

        var first = await keys.RefreshAsync();
        (_site.IsDown, _site.Discovery, _site.KeySet) = (false, null, null);
        _time.Advance(IssuerKeys.FirstCoolDown);
        var then = await keys.RefreshAsync();

        Assert.Null(first);
        Assert.Single(then!.Keys);
    }

    [Fact]
    public async Task EndsAReading_WhenTheIssuerIsSlow()
    {
        _site.Gate = new();
        using var keys = Make();

        var reading = keys.RefreshAsync();
        await Until.TrueAsync(() => _site.Requests == 1);
        _time.Advance(IssuerKeys.Timeout);

        Assert.Null(await reading);
        _site.Gate.Open();
    }

    private void Fail(string failure)
    {
        switch (failure)
        {
            case "down": _site.IsDown = true; break;
            case "no JSON": _site.Discovery = "<html>"; break;
            case "no keys": _site.KeySet = """{"keys":[]}"""; break;
            case "shared keys only": _site.KeySet = """{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"s"}]}"""; break;
            case "too large": _site.KeySet = new string(' ', 1024 * 1024 + 1); break;
            case "another issuer": _site.Discovery = $$"""{"issuer":"https://evil.test","jwks_uri":"{{_site.Address}}/jwks"}"""; break;
            case "insecure keys": _site.Discovery = $$"""{"issuer":"{{_site.Address}}","jwks_uri":"http://evil.test/jwks"}"""; break;
            default: throw new ArgumentException(failure);
        }
    }

    private IssuerKeys Make() => new(
        new(new(_site.Address), null, null, TestIssuer.Audience, "roles"), _time, NullLogger<IssuerKeys>.Instance);
}
