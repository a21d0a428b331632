using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Operations;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

/// <summary>Ready metadata answers: built once, and cached for a few addresses only.</summary>
public sealed class ReadyMetadataTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryParts _memory;
    private readonly ReadyMetadata _ready;
    private int _built;

    public ReadyMetadataTests()
    {
        _memory = new(64 << 20, _time);
        _ready = new(new(_memory), _time);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public async Task BuildsAnAnswerOnce_WhenManyClientsRequestItAtOnce()
    {
        using var gate = new ManualResetEventSlim();
        var all = Enumerable.Range(0, 20).Select(_ => Task.Run(async () => await GetAsync("http://a", gate))).ToList();
        gate.Set();
        Assert.All(await Task.WhenAll(all), body => Assert.Equal([1, 2], body!));
        Assert.Equal(1, _built);
    }

    [Fact]
    public async Task CachesAnswersForAFewAddressesOnly()
    {
        var cached = 0;
        for (var i = 0; i < 1000; i++) cached += await GetAsync($"http://viewer{i}.example") is null ? 0 : 1;
        Assert.Equal(ReadyMetadata.MaxRoots, cached);
        Assert.Equal(ReadyMetadata.MaxRoots, _memory.Entries);
        Assert.NotNull(await GetAsync("http://viewer0.example"));
    }

    [Fact]
    public async Task ReplacesAnIdleAddress()
    {
        for (var i = 0; i < ReadyMetadata.MaxRoots; i++) await GetAsync($"http://viewer{i}.example");
        Assert.Null(await GetAsync("http://late.example"));
        _time.Advance(ReadyMetadata.RootIdleAfter);
        Assert.NotNull(await GetAsync("http://late.example"));
    }

    private async Task<byte[]?> GetAsync(string root, ManualResetEventSlim? gate = null) => await _ready.GetAsync(
        new(1, null, root, Coding.Identity),
        () =>
        {
            gate?.Wait();
            Interlocked.Increment(ref _built);
            return [new byte[] { 1, 2 }];
        },
        TestContext.Current.CancellationToken);
}
