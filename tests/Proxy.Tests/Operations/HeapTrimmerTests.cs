using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Operations;
using Xunit;
using static Proxy.Operations.HeapTrimmer;

namespace Proxy.Tests.Operations;

/// <summary>When garbage is collected: near the bound, and when a load is over.</summary>
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
    public void WithinTheBudgetTheRuntimeDecides()
    {
        _resident = Budget;
        for (var i = 0; i < 200; i++) Assert.Equal(Step.None, Look(100));
    }

    [Fact]
    public void NearTheBoundGarbageIsCollected_EachTimeThatThereMayBeSome()
    {
        _resident = Budget + SoftBytes + 1;
        Assert.Equal(Step.Collect, Look(30));
        Assert.Equal(Step.None, Look(10));
        Assert.Equal(Step.Collect, Look(20));
        _resident = Budget + HardBytes + 1;
        Assert.Equal(Step.CollectNow, Look(30));
    }

    [Fact]
    public void WhenALoadIsOverMemoryIsGivenBack_Twice()
    {
        _resident = Budget;
        Look(100);
        var steps = Enumerable.Range(0, 1000).Select(_ => Look(0)).ToList();
        Assert.Equal(2, steps.Count(s => s == Step.GiveBack));
        Assert.Equal(998, steps.Count(s => s == Step.None));
    }

    [Fact]
    public void NothingIsGivenBack_WhenTheProcessIsAsSmallAsWhatItKeeps()
    {
        _resident = 50 * Megabyte + RestBytes;
        Look(100);
        for (var i = 0; i < 1000; i++) Assert.Equal(Step.None, Look(0));
    }

    private Step Look(long megabytes) => _trimmer.Check(_allocated += megabytes * Megabyte);
}
