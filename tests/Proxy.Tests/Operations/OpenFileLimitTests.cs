using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

public class OpenFileLimitTests
{
    [Theory]
    [InlineData("1024", false)]
    [InlineData("524288", false)]
    [InlineData("unlimited", false)]
    [InlineData("99999999999999999999", false)]
    [InlineData("1023", true)]
    [InlineData("256", true)]
    public void ReportsALimitThatIsTooLow(string soft, bool isTooLow)
    {
        var limits =
            "Limit                     Soft Limit           Hard Limit           Units     \n" +
            "Max processes             100                  100                  processes \n" +
            $"Max open files            {soft,-20} unlimited            files     \n";

        var shortage = OpenFileLimit.FindShortage(limits);

        Assert.Equal(isTooLow, shortage is not null);
        if (isTooLow) Assert.Contains(soft, shortage);
    }

    [Fact]
    public void ReportsNothing_WhenTheSystemReportsNoLimit() => Assert.Null(OpenFileLimit.FindShortage("Max processes 1 1 processes\n"));
}
