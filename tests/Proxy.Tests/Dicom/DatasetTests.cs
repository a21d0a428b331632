using Proxy.Dicom;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Dicom;

public class DatasetTests
{
    private static readonly Tag ImageType = new(0x00080008);
    private static readonly Tag SliceThickness = new(0x00180050);
    private static readonly Tag Procedure = new(0x00081032);

    private readonly Dataset _dataset = Answers.Dataset("""
        { "00080008": {"vr":"CS","Value":["ORIGINAL", null, "AXIAL"]},
          "00080018": {"Value":["1.2.3"],"vr":"UI"},
          "00080060": {"vr":"CS"},
          "00081032": {"vr":"SQ","Value":[{"00080100":{"vr":"SH","Value":["X"]}}]},
          "00100010": {"vr":"PN","Value":[{"Ideographic":"山田^太郎","Alphabetic":"Yamada^Tarou"}]},
          "00100020": {"vr":"LO","Value":["a\"b\u00e9"]},
          "00180050": {"vr":"DS","Value":[1.50]},
          "00200011": {"vr":"IS","Value":["7"]},
          "00200013": {"vr":"IS","Value":[ -12 ]},
          "00201209": {"vr":"IS","Value":[1e2]},
          "00280008": {"vr":"IS","Value":[null]},
          "7FE00010": {"vr":"OW","BulkDataURI":"http://pacs/x"} }
        """);

    [Fact]
    public void KeepsTheTextOfANumber() => Assert.Equal("1.50", _dataset.FindString(SliceThickness));

    [Fact]
    public void ReadsANumberWrittenAsText()
    {
        Assert.Equal(7, _dataset.FindInt(Tag.SeriesNumber));
        Assert.Equal(-12, _dataset.FindInt(Tag.InstanceNumber));
    }

    [Fact]
    public void FindsNoInteger_WhenTheValueIsNotAWholeNumber()
    {
        Assert.Null(_dataset.FindInt(SliceThickness));
        Assert.Null(_dataset.FindInt(Tag.NumberOfSeriesRelatedInstances));
        Assert.Null(_dataset.FindInt(Tag.NumberOfFrames));
        Assert.Null(_dataset.FindInt(Tag.PatientId));
    }

    [Fact]
    public void ReadsThePersonsAlphabeticName() => Assert.Equal("Yamada^Tarou", _dataset.FindString(Tag.PatientName));

    [Fact]
    public void ReadsAnEmptyValueAsNull() => Assert.Equal(["ORIGINAL", null, "AXIAL"], _dataset.FindStrings(ImageType));

    [Fact]
    public void FindsTheFirstValueThatIsNotEmpty() =>
        Assert.Equal("x", Answers.Dataset("""{"00080008":{"vr":"CS","Value":[null,"x"]}}""").FindString(ImageType));

    [Fact]
    public void ReadsEscapes() => Assert.Equal("a\"bé", _dataset.FindString(Tag.PatientId));

    [Fact]
    public void FindsNoValue_WhenTheAttributeIsEmpty()
    {
        Assert.True(_dataset.Has(Tag.Modality));
        Assert.Null(_dataset.FindString(Tag.Modality));
        Assert.Empty(_dataset.FindStrings(Tag.Modality));
        Assert.Empty(_dataset.FindStrings(new(0x7FE00010)));
    }

    [Fact]
    public void FindsNoValue_WhenTheAttributeIsAbsent()
    {
        Assert.False(_dataset.Has(Tag.StudyDate));
        Assert.True(_dataset.FindAttribute(Tag.StudyDate).IsEmpty);
        Assert.Empty(_dataset.FindStrings(Tag.StudyDate));
    }

    [Fact]
    public void ReadsASequenceItemAsNull() => Assert.Equal([null], _dataset.FindStrings(Procedure));

    [Fact]
    public void ReadsValues_WhenTheyNestAsDeepAsTheReaderAllows()
    {
        var deep = string.Concat(Enumerable.Repeat("{\"0040A730\":{\"vr\":\"SQ\",\"Value\":[", 80))
            + string.Concat(Enumerable.Repeat("]}}", 80));
        var dataset = Answers.Dataset("{\"0020000D\":{\"vr\":\"SQ\",\"Value\":[" + deep + "]}}");
        Assert.Null(dataset.FindUid(Tag.StudyInstanceUid));
    }

    [Fact]
    public void IgnoresAttributesInsideSequences() => Assert.False(_dataset.Has(new(0x00080100)));

    [Theory]
    [InlineData("1.2.3", "1.2.3")]
    [InlineData("1.2.3\\u0000", "1.2.3")]
    [InlineData("1.2.3 ", "1.2.3")]
    [InlineData("1.02", "1.02")]
    [InlineData("1..2", null)]
    [InlineData("", null)]
    public void FindsAUid_OnlyWhenItIsValid(string json, string? uid) =>
        Assert.Equal(
            uid, Answers.Dataset("{\"00080018\":{\"vr\":\"UI\",\"Value\":[\"" + json + "\"]}}").FindUid(Tag.SopInstanceUid)?.ToString());
}
