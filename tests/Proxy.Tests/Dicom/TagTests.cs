using System.Text;
using FsCheck.Xunit;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Dicom;

public class TagTests
{
    [Property]
    public bool ReadsWhatItWrites(uint value) =>
        Tag.TryParse(new Tag(value).ToString(), out var tag) && tag.Value == value
        && Tag.TryParse(Encoding.ASCII.GetBytes(new Tag(value).ToString()), out var ofBytes) && ofBytes == tag;

    [Theory]
    [InlineData("0020000d")]
    [InlineData("0020000D")]
    public void ReadsEitherCase_AndWritesUpper(string text)
    {
        Assert.True(Tag.TryParse(text, out var tag));
        Assert.Equal(Tag.StudyInstanceUid, tag);
        Assert.Equal("0020000D", tag.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("0020000")]
    [InlineData("0020000D0")]
    [InlineData("0020000G")]
    [InlineData("(0020,00")]
    [InlineData(" 020000D")]
    [InlineData("0020000 ")]
    [InlineData("+0200000")]
    [InlineData("0x200000")]
    [InlineData("0020000\0")]
    [InlineData("00２0000D")]
    public void RefusesTextThatIsNotATag(string text)
    {
        Assert.False(Tag.TryParse(text, out _));
        Assert.False(Tag.TryParse(Encoding.UTF8.GetBytes(text), out _));
    }

    [Fact]
    public void OrdersByGroup_ThenElement()
    {
        Assert.True(Tag.SopInstanceUid < Tag.PatientName);
        Assert.True(new Tag(0xFFFFFFFF) > new Tag(0));
    }
}
