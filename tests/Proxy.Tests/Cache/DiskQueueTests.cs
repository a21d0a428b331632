using Proxy.Cache.OnDisk;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>The queue in front of the disk.</summary>
public sealed class DiskQueueTests
{
    [Fact]
    public void HasRoom_UntilThreeQuartersAreFull()
    {
        var queue = new DiskQueue { MaxBytes = 400 };
        for (var i = 1; i <= 3; i++)
        {
            Assert.True(queue.HasRoom);
            Assert.True(queue.TryAdd(DiskLab.Key(1, i), DiskLab.GetEntry(DiskLab.Key(1, i), 100)));
        }
        Assert.False(queue.HasRoom);

        Assert.True(queue.TryTake(out var job));
        queue.Done(Assert.IsType<DiskJob.Write>(job));
        Assert.True(queue.HasRoom);
    }
}
