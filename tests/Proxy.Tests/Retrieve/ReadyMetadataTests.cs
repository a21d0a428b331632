using Microsoft.Extensions.Time.Testing;
using Proxy.Cache.InMemory;
using Proxy.Operations;
using Proxy.Retrieve;
using Xunit;

namespace Proxy.Tests.Retrieve;

/// <summary>Ready metadata: made once, and kept for a few addresses only.</summary>
public sealed class ReadyMetadataTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly MemoryTier _memory;
    private readonly ReadyMetadata _ready;
    private int _made;

    public ReadyMetadataTests()
    {
        _memory = new(64 << 20, _time);
        _ready = new(_memory, _time);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public async Task ItIsMadeOnce_HoweverManyWantIt()
    {
        using var gate = new ManualResetEventSlim();
        var all = Enumerable.Range(0, 20).Select(_ => Task.Run(async () => await GetAsync("http://a", gate))).ToList();
        gate.Set();
        Assert.All(await Task.WhenAll(all), body => Assert.Equal([1, 2], body!));
        Assert.Equal(1, _made);
    }

    [Fact]
    public async Task ItIsKeptForAFewAddresses_AndOthersGetItPassing()
    {
        var kept = 0;
        for (var i = 0; i < 1000; i++) kept += await GetAsync($"http://viewer{i}.example") is null ? 0 : 1;
        Assert.Equal(ReadyMetadata.MostRoots, kept);
        Assert.Equal(ReadyMetadata.MostRoots, _memory.Entries);
        Assert.NotNull(await GetAsync("http://viewer0.example"));
    }

    [Fact]
    public async Task AnAddressThatIsNotUsedGivesWay()
    {
        for (var i = 0; i < ReadyMetadata.MostRoots; i++) await GetAsync($"http://viewer{i}.example");
        Assert.Null(await GetAsync("http://late.example"));
        _time.Advance(ReadyMetadata.RootIdleAfter);
        Assert.NotNull(await GetAsync("http://late.example"));
    }

    private async Task<byte[]?> GetAsync(string root, ManualResetEventSlim? gate = null) => await _ready.GetAsync(
        new(1, null, root, Coding.Identity),
        () =>
        {
            gate?.Wait();
            Interlocked.Increment(ref _made);
            return [new byte[] { 1, 2 }];
        },
        TestContext.Current.CancellationToken);
}
