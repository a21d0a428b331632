using Proxy.Dicom;
using Proxy.Tests.Dimse;
using Proxy.Tests.Wire;
using Xunit;

namespace Proxy.Tests.Walks;

/// <summary>How PACS write what they send by DIMSE: transfer syntaxes, character sets, and datasets that are in no file.</summary>
public sealed class DimseFormWalks : IAsyncDisposable
{
    private const string Series = $"/dicomweb/studies/{DimsePacs.Study}/series/{DimsePacs.Series}";

    private readonly DimsePacs _pacs = new();
    private readonly ProxyHost _proxy = [];

    public DimseFormWalks()
    {
        foreach (var (key, value) in _pacs.Settings()) _proxy[key] = value;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _pacs.DisposeAsync();
    }

    [Fact]
    public async Task LabelsADatasetByTheContext_AndReadsImplicitVrWithGroupLengthsPrivateTagsAndPadding()
    {
        _pacs.SentSyntax = TransferSyntax.ImplicitLittleEndian;
        _pacs.Dataset = uid => DimsePacs.GetDataset(
            uid,
            new Part10File(Part10File.Implicit).Set(0x00080000, "UL", [0, 0, 0, 0]).Set(0x00280002, "US", 1)
                .Set(0x00280004, "CS", "MONOCHROME2")
                .Set(0x00280010, "US", 2).Set(0x00280011, "US", 2).Set(0x00280100, "US", 8).Set(0x00290010, "LO", "ACME")
                .Set(0x00291010, "LO", "text").Set(0x7FE00010, "OB", [1, 2, 3, 4]).Set(0xFFFCFFFC, "OB", new byte[64]));

        var metadata = (await _proxy.GetAsync(Series + "/metadata")).Rows[0]!;
        var frame = await _proxy.GetAsync(
            $"{Series}/instances/{_pacs.Instances[0]}/frames/1", ("Accept", "application/octet-stream"));

        Assert.Equal("UN", (string?)metadata["00291010"]!["vr"]);
        Assert.Null(metadata["00080000"]);
        Assert.Equal([1, 2, 3, 4], frame.Body);
        Assert.Equal(TransferSyntax.ImplicitLittleEndian, (string?)metadata["00083002"]!["Value"]![0]);
    }

    [Fact]
    public async Task ProposesUncompressedSyntaxesOnly_WhenTheSettingSaysSo()
    {
        _proxy["Backends:east:Syntaxes"] = "Uncompressed";

        Assert.Equal(200, (int)(await _proxy.GetAsync(Series + "/metadata")).Status);

        Assert.Equal(
            [TransferSyntax.ImplicitLittleEndian, BodyFormat.ExplicitLittleEndian],
            _pacs.Proposed.SelectMany(context => context.TransferSyntaxes).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task ReadsAndWritesLatin1_AndReplacesWhatItLacks()
    {
        _pacs.RowCharacterSet = "ISO_IR 100";
        _proxy["Backends:east:QueryCharacterSet"] = "ISO_IR 100";

        var known = await _proxy.GetAsync("/dicomweb/studies?PatientName=M%C3%BCller*");
        var other = await _proxy.GetAsync("/dicomweb/studies?PatientName=%E5%B1%B1*");

        Assert.Equal("Müller^Jürgen", (string?)known.Rows[0]!["00100010"]!["Value"]![0]!["Alphabetic"]);
        Assert.Empty(other.Rows);
        var sent = _pacs.Identifiers.Select(keys => keys.FindString(Tag.PatientName)).ToList();
        Assert.Equal(["Müller*", "?*"], sent);
    }

    [Fact]
    public async Task AsksForTheUsualAttributes_WhenAllAreIncluded()
    {
        var reply = await _proxy.GetAsync("/dicomweb/studies?includefield=all");

        Assert.Equal([DimsePacs.Study], reply.Values("0020000D"));
        Assert.True(Assert.Single(_pacs.Identifiers).Has(new(0x00081030)));
    }
}
