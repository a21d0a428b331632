using System.Buffers;
using System.Globalization;
using System.Text;
using Proxy.Dicom;
using Proxy.Dimse.Protocol;
using Proxy.Wire;
using Proxy.Wire.Part10;

namespace Proxy.Dimse;

/// <summary>Makes rows of a search out of identifiers of C-FIND answers.</summary>
internal static class RowText
{
    /// <summary>The length of <c>{"vr":"XX"}</c>: an attribute without a value.</summary>
    private const int EmptyBytes = 11;

    /// <summary>Attributes of the query itself, and those that only DIMSE uses: no row of QIDO-RS has them.</summary>
    private static readonly Tag[] LeftOut = [new(0x00080052), new(0x00080053), new(0x00080054), new(0x00080130)];

    /// <summary>Reads an identifier.</summary>
    /// <param name="identifier">The bytes in the transfer syntax of the context.</param>
    /// <param name="context">The context.</param>
    /// <exception cref="MalformedAnswerException">It is not a dataset.</exception>
    public static Dataset Read(byte[] identifier, PresentationContext context)
    {
        var isImplicit = context.TransferSyntaxes[0] == TransferSyntax.ImplicitLittleEndian;
        return DicomJsonReader.ReadStored(Part10DatasetReader.ReadIdentifier(identifier, isImplicit).Json.Span);
    }

    /// <summary>Joins datasets to one row: of each attribute the first value; attributes without a value are left out.</summary>
    public static Dataset Join(params IReadOnlyList<Dataset> parts)
    {
        var json = new ArrayBufferWriter<byte>(1024);
        var tags = parts.SelectMany(part => part.Attributes.Select(attribute => attribute.Tag)).Distinct().Except(LeftOut).Order();
        var isFirst = true;
        foreach (var tag in tags)
        {
            if (parts.FirstOrDefault(part => HasValue(part, tag)) is not { } part) continue;
            json.Write(isFirst ? "{"u8 : ","u8);
            isFirst = false;
            DicomJsonWriter.WriteName(json, tag);
            json.Write(part.FindAttribute(tag));
        }
        json.Write(isFirst ? "{}"u8 : "}"u8);
        return DicomJsonReader.ReadStored(json.WrittenSpan);
    }

    /// <summary>True when an attribute has a value.</summary>
    public static bool HasValue(Dataset row, Tag tag) => row.FindAttribute(tag).Length > EmptyBytes;

    /// <summary>A dataset of UIDs that the search names.</summary>
    public static Dataset OfUids(params ReadOnlySpan<(Tag Tag, Uid? Uid)> uids)
    {
        var text = new StringBuilder("{");
        foreach (var (tag, uid) in uids)
        {
            if (uid is null) continue;
            if (text.Length > 1) text.Append(',');
            text.Append(CultureInfo.InvariantCulture, $$"""
                "{{tag}}":{"vr":"UI","Value":["{{uid}}"]}
                """);
        }
        return DicomJsonReader.ReadStored(Encoding.ASCII.GetBytes(text.Append('}').ToString()));
    }

    /// <summary>A dataset of counts, and of the modalities of a study.</summary>
    public static Dataset OfCounts(IEnumerable<(Tag Tag, int? Count)> counts, IReadOnlyCollection<string> modalities)
    {
        var members = counts.Where(count => count.Count is not null).Select(
            count => string.Create(CultureInfo.InvariantCulture, $$"""
                "{{count.Tag}}":{"vr":"IS","Value":[{{count.Count}}]}
                """));
        if (modalities.Count > 0)
        {
            var values = string.Join(',', modalities.Order(StringComparer.Ordinal).Select(
                modality => $"\"{System.Text.Json.JsonEncodedText.Encode(modality)}\""));
            members = members.Prepend($$"""
                "{{Tag.ModalitiesInStudy}}":{"vr":"CS","Value":[{{values}}]}
                """);
        }
        return DicomJsonReader.ReadStored(Encoding.UTF8.GetBytes("{" + string.Join(',', members) + "}"));
    }
}
