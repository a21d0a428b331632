using Proxy.Dicom;
using Proxy.Prefetch.Jobs;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class ViewportHintTests
{
    private static readonly Uid First = Uid.Parse("1.1"), Second = Uid.Parse("1.2"), Instance = Uid.Parse("1.9");

    private readonly ViewportHint _viewport = new();

    [Fact]
    public void ActivatesASeries_AtItsSecondFrame()
    {
        _viewport.Set(First, Instance, 1);
        _viewport.Set(Second, Instance, 1);
        Assert.Equal(First, _viewport.Position!.Value.Series);
        _viewport.Set(Second, Instance, 2);
        Assert.Equal((Second, Instance, 2), _viewport.Position!.Value);
    }

    [Fact]
    public void HasNoPosition_BeforeTheFirstFrame()
    {
        Assert.False(_viewport.FirstFrame.IsCompleted);
        Assert.Null(_viewport.Position);
        _viewport.Set(First, Instance, 3);
        Assert.True(_viewport.FirstFrame.IsCompleted);
    }
}
