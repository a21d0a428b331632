using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Operations;
using Xunit;
using static Proxy.Operations.HeapTrimmer;

namespace Proxy.Tests.Operations;

/// <summary>Garbage is collected near the memory limit and after a load.</summary>
public sealed class HeapTrimmerTests : IDisposable
{
    private const long Megabyte = 1 << 20;
    private const long Budget = 256 * Megabyte;

    private readonly HeapTrimmer _trimmer;
    private long _resident;
    private long _allocated;

    public HeapTrimmerTests() =>
        _trimmer = new(() => _resident, () => 50 * Megabyte, () => Budget, TimeProvider.System, NullLogger<HeapTrimmer>.Instance);

    public void Dispose() => _trimmer.Dispose();

    [Fact]
    public void LeavesCollectionToTheRuntime_WithinTheBudget()
    {
        _resident = Budget;
        for (var i = 0; i < 200; i++) Assert.Equal(Step.None, Check(100));
    }

    [Fact]
    public void CollectsAfterEnoughAllocations_NearTheLimit()
    {
        _resident = Budget + SoftBytes + 1;
        Assert.Equal(Step.Collect, Check(30));
        Assert.Equal(Step.None, Check(10));
        Assert.Equal(Step.Collect, Check(20));
        _resident = Budget + HardBytes + 1;
        Assert.Equal(Step.CollectNow, Check(30));
    }

    [Fact]
    public void ReturnsMemoryTwice_WhenALoadIsOver()
    {
        _resident = Budget;
        Check(100);
        var steps = Enumerable.Range(0, 1000).Select(_ => Check(0)).ToList();
        Assert.Equal(2, steps.Count(s => s == Step.GiveBack));
        Assert.Equal(998, steps.Count(s => s == Step.None));
    }

    [Fact]
    public void ReturnsNoMemory_WhenTheProcessHoldsLittleMoreThanTheCaches()
    {
        _resident = 50 * Megabyte + RestBytes;
        Check(100);
        for (var i = 0; i < 1000; i++) Assert.Equal(Step.None, Check(0));
    }

    private Step Check(long megabytes) => _trimmer.Check(_allocated += megabytes * Megabyte);
}
