using Proxy.Dicom;
using Proxy.Prefetch.Jobs;
using Xunit;

namespace Proxy.Tests.Prefetch;

public class ViewportHintTests
{
    private static readonly Uid First = Uid.Parse("1.1"), Second = Uid.Parse("1.2"), Instance = Uid.Parse("1.9");

    private readonly ViewportHint _focus = new();

    [Fact]
    public void OneFrameOfASeriesIsAThumbnail_MoreIsWhatIsLookedAt()
    {
        _focus.Set(First, Instance, 1);
        _focus.Set(Second, Instance, 1);
        Assert.Equal(First, _focus.At!.Value.Series);
        _focus.Set(Second, Instance, 2);
        Assert.Equal((Second, Instance, 2), _focus.At!.Value);
    }

    [Fact]
    public void NobodyLooksBeforeTheFirstFrame()
    {
        Assert.False(_focus.First.IsCompleted);
        Assert.Null(_focus.At);
        _focus.Set(First, Instance, 3);
        Assert.True(_focus.First.IsCompleted);
    }
}
