using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>Instances on their way to a backend, in memory within bounds.</summary>
public sealed class CaptureTests : IDisposable
{
    private static readonly InstancePath Path = new(Uid.Parse("1.2"), Uid.Parse("1.2.1"), Uid.Parse("1.2.1.1"));

    private readonly MemoryParts _memory;
    private readonly EntryCache _cache;

    public CaptureTests()
    {
        var time = new FakeTimeProvider();
        _memory = new(1 << 20, time);
        _cache = new(new MemoryTier(_memory), DiskLab.None(), time, NullLogger<EntryCache>.Instance);
    }

    public void Dispose() => _memory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(16 * 1024)]
    [InlineData(100_001)]
    public async Task BecomesAnEntry_WithTheBytesThatPassed(int length)
    {
        var bytes = new byte[length];
        Random.Shared.NextBytes(bytes);
        var capture = _cache.OpenCapture("east", Path);
        foreach (var piece in bytes.Chunk(7000)) capture.Append(piece);

        Assert.True(await _cache.AddCapturedAsync(capture, capture.Build("1.2.840.10008.1.2.1", DateTimeOffset.UnixEpoch)!));
        _cache.CloseCapture(capture, Path);

        var found = await _cache.FindAsync([new(capture.Key)], TestContext.Current.CancellationToken);
        using var body = found!.Value.Body;
        var read = new byte[length + 1];
        Assert.Equal(length, body.ReadAt(0, read));
        Assert.Equal(bytes, read[..length]);
        Assert.Equal(0, _memory.InFlight.Bytes);
    }

    [Fact]
    public void IsDropped_WhenAllCapturesTogetherAreTooLarge()
    {
        var (small, large) = (_cache.OpenCapture("east", Path), _cache.OpenCapture("east", Path with { Instance = Uid.Parse("1.2.1.2") }));
        small.Append(new byte[1000]);
        for (var i = 0; i < 5; i++) large.Append(new byte[1 << 20]);

        Assert.True(large.IsDropped);
        Assert.False(small.IsDropped);
        Assert.InRange(_memory.InFlight.Bytes, 1000, 100_000);
        _cache.CloseCapture(small, Path);
        Assert.Equal(0, _memory.InFlight.Bytes);
    }

    [Fact]
    public void IsDropped_WhileAnotherOfTheSameInstanceIsOpen()
    {
        var first = _cache.OpenCapture("east", Path);
        var elsewhere = _cache.OpenCapture("west", Path);
        var second = _cache.OpenCapture("east", Path with { Series = Uid.Parse("1.2.7") });
        _cache.CloseCapture(first, Path);
        var third = _cache.OpenCapture("east", Path);

        Assert.All([first, second, third], capture => Assert.True(capture.IsDropped));
        Assert.Null(third.Build("1.2.840.10008.1.2.1", DateTimeOffset.UnixEpoch));
        Assert.False(elsewhere.IsDropped);
        _cache.CloseCapture(second, Path);
        _cache.CloseCapture(third, Path);
        Assert.False(_cache.OpenCapture("east", Path).IsDropped);
    }

    [Fact]
    public async Task IsNotStored_AfterARemovalOfTheInstance()
    {
        var capture = _cache.OpenCapture("east", Path);
        capture.Append(new byte[10]);
        var entry = capture.Build("1.2.840.10008.1.2.1", DateTimeOffset.UnixEpoch)!;

        await _cache.RemoveAsync(new("east", Path.SeriesPath));

        Assert.False(await _cache.AddCapturedAsync(capture, entry));
        Assert.Null(await _cache.FindAsync([new(capture.Key)], TestContext.Current.CancellationToken));
    }
}
