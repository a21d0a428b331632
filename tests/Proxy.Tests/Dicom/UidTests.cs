using System.Text;
using FsCheck.Xunit;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class UidTests
{
    private static readonly string Longest = "1." + new string('9', 62);

    [Theory]
    [InlineData("1")]
    [InlineData("0")]
    [InlineData("0.0.10")]
    [InlineData("1.02")]
    [InlineData("00")]
    [InlineData("01.2")]
    [InlineData("1.2.000.3")]
    [InlineData("1.2.840.10008.5.1.4.1.1.2")]
    [InlineData("2.25.329800735698586629295641978511506172918")]
    public void ReadsDigitsAndDots(string text)
    {
        Assert.True(Uid.TryParse(text, out var uid));
        Assert.Equal(text, uid.ToString());
        Assert.True(Uid.TryParse(Encoding.ASCII.GetBytes(text), out var ofBytes));
        Assert.Equal(uid, ofBytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("1.")]
    [InlineData(".1")]
    [InlineData("1..2")]
    [InlineData("1.2a")]
    [InlineData("-1.2")]
    [InlineData(" 1.2")]
    [InlineData("1.2\n")]
    [InlineData("1/2")]
    [InlineData("..")]
    [InlineData("1.2/../3")]
    [InlineData("%2e%2e%2f")]
    [InlineData("1.٢.3")]
    [InlineData("1.２.3")]
    [InlineData("1.²")]
    [InlineData("ı.2")]
    [InlineData("1\u012E2")]
    public void RefusesTextThatIsNotAUid(string text) => Assert.False(Uid.TryParse(text, out _));

    [Fact]
    public void AllowsAtMost64Characters()
    {
        Assert.Equal(64, Longest.Length);
        Assert.True(Uid.TryParse(Longest, out _));
        Assert.False(Uid.TryParse(Longest + "9", out _));
        Assert.False(Uid.TryParse(new string('1', 8192), out _));
        Assert.False(Uid.TryParse(Encoding.ASCII.GetBytes(Longest + "9"), out _));
    }

    [Theory]
    [InlineData("1.2.3\0")]
    [InlineData("1.2.3 ")]
    [InlineData("1.2.3 \0")]
    [InlineData("1.2.3\0 ")]
    [InlineData("1.2.3\0\0")]
    public void RemovesPadding(string padded)
    {
        Assert.True(Uid.TryParse(padded, out var ofText));
        Assert.Equal("1.2.3", ofText.ToString());
        Assert.True(Uid.TryParse(padded.AsSpan(), out var ofSpan));
        Assert.Equal(ofText, ofSpan);
        Assert.True(Uid.TryParse(Encoding.ASCII.GetBytes(padded), out var uid));
        Assert.Equal("1.2.3", uid.ToString());
    }

    [Fact]
    public void RemovesPadding_FromTheLongestUid()
    {
        Assert.True(Uid.TryParse(Encoding.ASCII.GetBytes(Longest + "\0"), out var uid));
        Assert.Equal(Longest, uid.ToString());
    }

    [Theory]
    [InlineData("\0")]
    [InlineData("1.2\03")]
    [InlineData("\01.2")]
    public void RefusesNulBytes_ThatAreNotPadding(string text) => Assert.False(Uid.TryParse(Encoding.ASCII.GetBytes(text), out _));

    [Fact]
    public void RefusesNull() => Assert.False(Uid.TryParse((string?)null, out _));

    [Fact]
    public void ParseThrows_WithoutQuotingTheText()
    {
        var e = Assert.Throws<FormatException>(() => Uid.Parse("DOE^JOHN"));
        Assert.DoesNotContain("DOE", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ComparesAsText()
    {
        Assert.NotEqual(Uid.Parse("1.2"), Uid.Parse("1.02"));
        Assert.True(Uid.Parse("1.02") < Uid.Parse("1.2"));
    }

    [Fact]
    public void OrdersLikeItsText()
    {
        Uid[] uids = [Uid.Parse("1.3"), Uid.Parse("1.10"), Uid.Parse("1.2")];
        Assert.Equal(["1.10", "1.2", "1.3"], uids.Order().Select(u => u.ToString()));
        Assert.True(Uid.Parse("1.10") < Uid.Parse("1.2"));
        Assert.True(Uid.Parse("1.2") >= Uid.Parse("1.2"));
    }

    [Property(MaxTest = 2000)]
    public bool JudgesTextAndBytesAlike(string? text)
    {
        // Latin-1, so that each byte is one character.
        var latin = new string([.. (text ?? "").Select(c => (char)(c & 0xFF))]);
        return Uid.TryParse(latin, out _) == Uid.TryParse(Encoding.Latin1.GetBytes(latin), out _);
    }

    [Property(MaxTest = 500)]
    public bool ComparesConsistentlyWithEquality(uint[] left, uint[] right)
    {
        if (!Uid.TryParse(string.Join('.', left), out var a) || !Uid.TryParse(string.Join('.', right), out var b)) return true;
        return a.CompareTo(b) == 0 == (a == b) && a.CompareTo(b) < 0 == b.CompareTo(a) > 0;
    }
}
