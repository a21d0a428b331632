using System.Globalization;
using FsCheck;
using FsCheck.Xunit;
using Proxy.Retrieve.Ranges;
using Xunit;

namespace Proxy.Tests.Retrieve.Ranges;

public sealed class RangeSelectionTests
{
    [Theory]
    [InlineData("bytes=0-5", "0-5")]
    [InlineData("Bytes=0-0", "0-0")]
    [InlineData("bytes=2042-", "2042-2047")]
    [InlineData("bytes=0-", "0-2047")]
    [InlineData("bytes=2000-9999", "2000-2047")]
    [InlineData("bytes=0-99999999999999999999999999", "0-2047")]
    [InlineData("bytes=-6", "2042-2047")]
    [InlineData("bytes=-4096", "0-2047")]
    [InlineData("bytes= 0-5 , 1000-1005", "0-5 1000-1005")]
    [InlineData("bytes=,0-5,,", "0-5")]
    [InlineData("bytes=1000-1005,0-5", "0-5 1000-1005")]
    [InlineData("bytes=0-9,5-20", "0-20")]
    [InlineData("bytes=0-9,10-20", "0-20")]
    [InlineData("bytes=0-9,100-109", "0-109")]
    [InlineData("bytes=0-9,138-140", "0-9 138-140")]
    [InlineData("bytes=0-9,9000-9009", "0-9")]
    [InlineData("bytes=0-2047,0-2047,-2048", "0-2047")]
    public void SelectsTheRanges_OfABodyOf2048Bytes(string header, string expected) =>
        Assert.Equal(expected, Text(RangeSelection.Read(header, 2048)));

    [Theory]
    [InlineData("bytes=2048-")]
    [InlineData("bytes=2048-4000")]
    [InlineData("bytes=-0")]
    [InlineData("bytes=99999999999999999999-")]
    [InlineData("bytes=3000-3001,4000-")]
    public void SelectsNothing_BehindTheEnd(string header) => Assert.Empty(RangeSelection.Read(header, 2048)!.Ranges);

    [Theory]
    [InlineData("")]
    [InlineData("bytes")]
    [InlineData("bytes=")]
    [InlineData("bytes=,")]
    [InlineData("bytes=-")]
    [InlineData("bytes=5")]
    [InlineData("bytes=5-4")]
    [InlineData("bytes=a-b")]
    [InlineData("bytes=0x1-5")]
    [InlineData("bytes=+1-5")]
    [InlineData("bytes=1 -5")]
    [InlineData("bytes=1-5-9")]
    [InlineData("bytes=--5")]
    [InlineData("bytes=0-5,x")]
    [InlineData("bytes =0-5")]
    [InlineData("items=0-5")]
    [InlineData("0-5")]
    public void IgnoresAHeader_ThatIsMalformedOrHasAnotherUnit(string header) => Assert.Null(RangeSelection.Read(header, 2048));

    [Fact]
    public void IgnoresAHeader_WithTooManyRanges()
    {
        Assert.Equal(RangeSelection.MaxRanges, RangeSelection.Read(Many(RangeSelection.MaxRanges), 1_000_000)!.Ranges.Length);
        Assert.Null(RangeSelection.Read(Many(RangeSelection.MaxRanges + 1), 1_000_000));

        static string Many(int count) => "bytes=" + string.Join(',', Enumerable.Range(0, count).Select(i => $"{i * 1000}-{i * 1000 + 9}"));
    }

    /// <summary>The selection covers every requested byte, and is ascending, disjoint, within the body and not larger than it.</summary>
    [Property(MaxTest = 1000)]
    public void CoversTheRequestedBytes(DoNotSize<int> seed)
    {
        var random = new Random(seed.Item);
        var length = random.Next(1, 5000);
        var asked = Enumerable.Range(0, random.Next(1, 10)).Select(_ => Create(random, length)).ToList();

        var ranges = RangeSelection.Read("bytes=" + string.Join(", ", asked.Select(a => a.Text)), length)!.Ranges;

        var wanted = asked.SelectMany(a => Enumerable.Range(0, length).Where(at => at >= a.First && at <= a.Last)).ToHashSet();
        Assert.Equal(wanted.Count == 0, ranges.IsEmpty);
        Assert.All(wanted, at => Assert.Contains(ranges, r => r.First <= at && at <= r.Last));
        Assert.All(ranges, r => Assert.True(r.First >= 0 && r.Last < length && r.Length > 0));
        Assert.All(ranges, r => Assert.True(wanted.Contains((int)r.First) && wanted.Contains((int)r.Last)));
        Assert.All(ranges.Zip(ranges.Skip(1)), pair => Assert.True(pair.Second.First - pair.First.Last > RangeSelection.MaxGap));
    }

    [Property(MaxTest = 1000)]
    public void NeverThrows(string text, DoNotSize<ulong> length)
    {
        var selection = RangeSelection.Read("bytes=" + text, (long)(length.Item >> 1));

        if (selection is not null) Assert.All(selection.Ranges, r => Assert.True(r.First >= 0 && r.Length > 0));
    }

    private static (string Text, long First, long Last) Create(Random random, int length)
    {
        var (a, b) = (random.Next(0, length + 200), random.Next(0, length + 200));
        return random.Next(3) switch
        {
            0 => (string.Create(CultureInfo.InvariantCulture, $"{Math.Min(a, b)}-{Math.Max(a, b)}"), Math.Min(a, b), Math.Max(a, b)),
            1 => (string.Create(CultureInfo.InvariantCulture, $"{a}-"), a, long.MaxValue),
            _ => (string.Create(CultureInfo.InvariantCulture, $"-{a}"), length - a, a == 0 ? -1 : long.MaxValue),
        };
    }

    private static string Text(RangeSelection? selection) => string.Join(' ', selection!.Ranges.Select(r => $"{r.First}-{r.Last}"));
}
