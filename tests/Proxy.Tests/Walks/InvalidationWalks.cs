using System.Collections.Concurrent;
using Microsoft.Extensions.DependencyInjection;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>Everything that becomes invalid is cleared in one place, and announced there.</summary>
public sealed class InvalidationWalks : IAsyncDisposable
{
    private const string Study = "/dicomweb/studies/1.2.1";
    private const string Frame = Study + "/series/1.2.1.1/instances/1.2.1.1.3/frames/1";

    private static readonly (string, string) AsStored =
        ("Accept", "multipart/related; type=\"application/octet-stream\"; transfer-syntax=*");

    private readonly WireMockPacs _east = new(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 3).With("1.2.1.2", "CT", 2));
    private readonly ProxyHost _proxy;
    private readonly ConcurrentQueue<Removal> _removals = new();

    public InvalidationWalks() => _proxy = new(("east", _east.Address)) { ["Cache:Metadata:Freshness"] = "00:00:00" };

    private StudyInvalidation Invalidation => _proxy.Services.GetRequiredService<StudyInvalidation>();

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        _east.Dispose();
    }

    [Fact]
    public async Task ClearsASeries_WhenTheBackendNoLongerListsIt()
    {
        await ReadAsync();
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.2", "CT", 2));
        await _proxy.GetAsync(Study + "/series");
        Assert.Equal([new Removal("east", Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"))], _removals);
        Assert.False(await IsCachedAsync());
        (await _proxy.GetAsync(Frame, AsStored)).IsProblem(404);
    }

    [Fact]
    public async Task ClearsMetadataAndBodiesOfASeries_WhenTheBackendDoesNotReturnIt()
    {
        await ReadAsync();
        Invalidation.RemoveSeries("east", new(Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1")));
        Assert.Equal([new Removal("east", Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"))], _removals);
        Assert.False(await IsCachedAsync());
        (await _proxy.GetAsync("/store" + Study["/dicomweb".Length..] + "/series/1.2.1.1")).IsProblem(404);
    }

    [Fact]
    public async Task ClearsAnInstance_WhenNewerMetadataLacksIt()
    {
        await ReadAsync();
        _east.Hold(new HeldStudy("1.2.1").With("1.2.1.1", "CT", 2).With("1.2.1.2", "CT", 2));
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        Assert.Equal([new Removal("east", Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"), Uid.Parse("1.2.1.1.3"))], _removals);
        Assert.False(await IsCachedAsync());
    }

    [Fact]
    public async Task ClearsAStudyOrEverything_WhenTheOperatorPurges()
    {
        await ReadAsync();
        await _proxy.SendAsync(HttpMethod.Delete, "/cache/studies/1.2.1", []);
        Assert.False(await IsCachedAsync());
        await _proxy.SendAsync(HttpMethod.Delete, "/cache", []);
        Assert.Equal([new Removal(Study: Uid.Parse("1.2.1")), new Removal()], _removals);
    }

    [Fact]
    public async Task ClearsSearchResultsMetadataAndBodies_WhenABackendIsRemoved()
    {
        await ReadAsync();
        await _proxy.GetAsync("/dicomweb/studies?limit=1");
        var searches = _east.Count("studies");
        Assert.Equal("Proxy; hit", (await _proxy.GetAsync("/dicomweb/studies?limit=1")).CacheStatus);
        Assert.Equal(searches, _east.Count("studies"));

        Invalidation.RemoveBackend("east");

        Assert.Equal([new Removal("east") { IsLocal = true }], _removals);
        Assert.False(await IsCachedAsync());
        (await _proxy.GetAsync("/store" + Study["/dicomweb".Length..])).IsProblem(404);
        Assert.Equal("Proxy; fwd=miss; stored", (await _proxy.GetAsync("/dicomweb/studies?limit=1")).CacheStatus);
    }

    private async Task ReadAsync()
    {
        await _proxy.GetAsync(Study + "/series/1.2.1.1/metadata");
        await _proxy.GetAsync(Frame, AsStored);
        await Until.TrueAsync(IsCachedAsync);
        Invalidation.Invalidated += _removals.Enqueue;
    }

    private async Task<bool> IsCachedAsync() =>
        (int)(await _proxy.GetAsync("/cache")).Json["backends"]!["east"]!["memory"]!["entries"]! > 0;
}
