using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Rendering.Making;
using Proxy.Rendering.Requests;
using Proxy.Tests.Cache;
using Xunit;

namespace Proxy.Tests.Rendering;

public sealed class PictureVarietyTests : IDisposable
{
    private readonly MemoryParts _memory = new(64 << 20, new FakeTimeProvider());
    private readonly EntryCache _cache;
    private readonly PictureVariety _variety;

    public PictureVarietyTests()
    {
        _cache = new(new MemoryTier(_memory), DiskLab.None(), new FakeTimeProvider(), NullLogger<EntryCache>.Instance);
        _variety = new(_cache);
    }

    public void Dispose() => _memory.Dispose();

    [Fact]
    public async Task TenThousandWindowsOnOneInstanceLeaveFewPictures()
    {
        for (var width = 1; width <= 10_000; width++) await ShowAsync(instance: 1, frame: 1, width);

        Assert.Equal(PictureVariety.MaxParameters, _memory.Entries);
    }

    [Fact]
    public async Task KeepsTheParametersThatAreUsedAgain()
    {
        for (var width = 1; width <= 100; width++)
        {
            await ShowAsync(instance: 1, frame: 1, width: 7);
            await ShowAsync(instance: 1, frame: 1, width: width + 10);
        }

        Assert.True(await HasAsync(instance: 1, frame: 1, width: 7));
        Assert.False(await HasAsync(instance: 1, frame: 1, width: 11));
    }

    [Fact]
    public async Task KeepsEveryFrameOfALoop_WithTheSameParameters()
    {
        for (var frame = 1; frame <= 100; frame++) await ShowAsync(instance: 1, frame, width: 7);
        Assert.Equal(100, _memory.Entries);

        for (var frame = 101; frame <= 1000; frame++) await ShowAsync(instance: 1, frame, width: 7);
        Assert.Equal(PictureVariety.MaxPictures, _memory.Entries);
    }

    [Fact]
    public async Task FollowsALimitedNumberOfInstances()
    {
        for (var instance = 1; instance <= 3000; instance++) await ShowAsync(instance, frame: 1, width: 7);

        Assert.Equal(PictureVariety.MaxInstances, _memory.Entries);
        Assert.True(await HasAsync(3000, 1, 7));
    }

    private static PictureRequest Request(int instance, int frame, int width)
    {
        Assert.True(Uid.TryParse("1.2", out var study));
        Assert.True(Uid.TryParse($"1.2.{instance}", out var uid));
        return new(new(study, study, uid), frame, "image/jpeg", new RenderedParameters(new(0, width, default))) { DatasetHash = 1 };
    }

    private async Task ShowAsync(int instance, int frame, int width)
    {
        var request = Request(instance, frame, width);
        var lookup = _cache.Get(request.GetKey("east"), FetchAsync, Placement.MemoryOnly);
        if (lookup.Reader is { } reader)
        {
            while (!(await reader.ReadAsync(CancellationToken.None)).IsEmpty) { }
            reader.Dispose();
            // The cache stores the picture a moment after the last byte.
            while (!await HasAsync(instance, frame, width)) await Task.Yield();
        }
        _variety.Note(request.Path, request.GetKey("east"));
    }

    private ValueTask<bool> HasAsync(int instance, int frame, int width) =>
        _cache.HasAsync([new(Request(instance, frame, width).GetKey("east"))], CancellationToken.None);

    private static async Task<BackendAnswer<EntryHead>> FetchAsync(InFlightBody inFlight, CancellationToken cancellation) =>
        new(await new RenderedFile("image/jpeg", new byte[100]).CopyToAsync(inFlight, cancellation));
}
