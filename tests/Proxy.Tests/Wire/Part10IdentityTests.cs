using Proxy.Dicom;
using Proxy.Wire;
using Proxy.Wire.Part10;
using Xunit;

namespace Proxy.Tests.Wire;

public sealed class Part10IdentityTests
{
    private const string Deflated = "1.2.840.10008.1.2.1.99";

    private static readonly Part10Identity Whole = new(Uid.Parse(Part10File.Explicit), "1.2.3", "1.2.3", "1.2", "1.2.1");

    [Theory]
    [InlineData(Part10File.Explicit)]
    [InlineData(Part10File.Implicit)]
    [InlineData(Part10File.JpegBaseline)]
    public void IdentifiesTheObjectInAFile(string transferSyntax) =>
        Assert.Equal(Whole with { TransferSyntaxUid = Uid.Parse(transferSyntax) }, Read(File(transferSyntax).ToArray(), isAll: true));

    /// <summary>Every prefix gives the same identity, or needs more bytes.</summary>
    [Fact]
    public void ReadsTheSameIdentity_FromEveryPrefix()
    {
        var file = File().ToArray();
        var needed = Enumerable.Range(0, file.Length + 1).First(length => Read(file[..length], isAll: false) is not null);

        for (var length = 0; length <= file.Length; length++)
            Assert.Equal(length < needed ? null : Whole, Read(file[..length], isAll: false));
    }

    [Fact]
    public void StopsAfterTheLastRequestedAttribute()
    {
        var file = File().ToArray();
        var length = Enumerable.Range(0, file.Length)
            .First(l => Part10Identity.Read(file.AsMemory(0, l), Tag.SopInstanceUid, isAll: false) is not null);

        Assert.Equal(
            Whole with { StudyInstanceUid = null, SeriesInstanceUid = null },
            GetUids(Part10Identity.Read(file.AsMemory(0, length), Tag.SopInstanceUid, isAll: false)));
        Assert.Null(Read(file[..length], isAll: false));
    }

    [Fact]
    public void LeavesAttributesBehindTheEndUnknown()
    {
        var file = File().ToArray();
        var length = Enumerable.Range(0, file.Length)
            .First(l => Part10Identity.Read(file.AsMemory(0, l), Tag.SopInstanceUid, isAll: false) is not null);

        Assert.Equal(Whole with { StudyInstanceUid = null, SeriesInstanceUid = null }, Read(file[..length], isAll: true));
    }

    [Fact]
    public void ReadsOnlyTheMetaGroup_OfADeflatedDataset() =>
        Assert.Equal(new(Uid.Parse(Deflated), "1.2.3", null, null, null), Read(File(Deflated).ToArray(), isAll: true));

    [Fact]
    public void SkipsSequencesOfUndefinedLength()
    {
        var file = File().SetRaw(
            0x00081140,
            Part10File.Open(0x00081140, "SQ", false, Part10File.OpenItem(Part10File.Element(0x0020000D, "UI", "9.9\0"u8.ToArray()))));

        Assert.Equal(Whole, Read(file.ToArray(), isAll: true));
    }

    [Theory]
    [InlineData("")]
    [InlineData("<!DOCTYPE html>")]
    [InlineData("{\"error\":\"not found\"}")]
    public void RefusesAPage(string text)
    {
        byte[] bytes = [.. System.Text.Encoding.ASCII.GetBytes(text), .. text.Length > 20 ? new byte[300] : []];
        Assert.Throws<MalformedAnswerException>(() => Read(bytes, isAll: true));
    }

    [Fact]
    public void RefusesAFileWithoutTransferSyntax() =>
        Assert.Throws<MalformedAnswerException>(() => Read(File().Remove(0x00020010).ToArray(), isAll: true));

    private static Part10File File(string transferSyntax = Part10File.Explicit) => new Part10File(transferSyntax)
        .SetRaw(0x00020003, Part10File.Element(0x00020003, "UI", "1.2.3\0"u8.ToArray()))
        .Set(0x00080018, "UI", "1.2.3\0"u8.ToArray()).Set(0x0020000D, "UI", "1.2 "u8.ToArray()).Set(0x0020000E, "UI", "1.2.1\0"u8.ToArray())
        .Set(0x00280010, "US", 1);

    [Fact]
    public void FindsTheClassAndTheStartOfTheDataset()
    {
        var file = File().SetRaw(0x00020002, Part10File.Element(0x00020002, "UI", "1.2.840.10008.5.1.4.1.1.2\0"u8.ToArray())).ToArray();

        var identity = Part10Identity.Read(file, Tag.SeriesInstanceUid, isAll: true)!;

        Assert.Equal("1.2.840.10008.5.1.4.1.1.2", identity.MediaStorageSopClassUid);
        // The last element of the meta group is the transfer syntax, of 28 bytes; the first of the dataset is in the group 0008.
        Assert.Equal([0x02, 0x00, 0x10, 0x00], file[(identity.DatasetAt - 28)..(identity.DatasetAt - 24)]);
        Assert.Equal([0x08, 0x00], file[identity.DatasetAt..(identity.DatasetAt + 2)]);
    }

    private static Part10Identity? Read(byte[] bytes, bool isAll) => GetUids(Part10Identity.Read(bytes, Tag.SeriesInstanceUid, isAll));

    private static Part10Identity? GetUids(Part10Identity? found) => found is null
        ? null
        : new(
            found.TransferSyntaxUid, found.MediaStorageSopInstanceUid, found.SopInstanceUid, found.StudyInstanceUid,
            found.SeriesInstanceUid);
}
