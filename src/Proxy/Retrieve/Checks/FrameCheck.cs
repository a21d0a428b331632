using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Metadata;
using Proxy.Wire;

namespace Proxy.Retrieve.Checks;

/// <summary>
/// Checks a frame: its media type (PS3.18 Table 8.7.3-3 ff.), the first bytes of its coding, and its native length by the metadata.
/// </summary>
/// <param name="asked">The requested forms.</param>
/// <param name="number">The frame, counted from 1.</param>
/// <param name="pixels">The description in the metadata; null when it is not in the store.</param>
internal sealed class FrameCheck(RequestedForms asked, int number, PixelDescription? pixels) : BodyCheck
{
    /// <summary>The fewest bytes that the header of the coding allows; set when the start is read.</summary>
    private long _leastLength;

    public override EntryHead? Read(EntryHead declared, ReadOnlyMemory<byte> start, bool isAll)
    {
        if (!IsFrameType(declared.MediaType)) throw new MalformedAnswerException("The answer's type is not pixel data.");
        if (start.IsEmpty && isAll) throw new MalformedAnswerException("The answer's body is empty.");
        if (start.Length < Codestream.StartBytes && !isAll) return null;

        var head = declared with { TransferSyntax = GetName(declared, start.Span) };
        var coding = GetCoding(head);
        if (!Codestream.CanBegin(coding, start.Span, declared.Length)
            || !Codestream.CanBeginType(declared.MediaType, start.Span, declared.Length))
            throw new MalformedAnswerException("The answer's body does not begin like a frame of its type.");
        _leastLength = Codestream.GetLeastLength(coding, start.Span);
        if (declared.Length is { } length) CheckLength(head, length);
        CheckForm(asked, head);
        return head;
    }

    public override bool? IsLength(EntryHead head, long length) => length < _leastLength ? false : IsNativeLength(head, length);

    public override bool KnowsLength(EntryHead head) => IsNativeLength(head, length: 1) is not null;

    private bool? IsNativeLength(EntryHead head, long length) =>
        GetCoding(head) == PixelCoding.Native ? pixels?.IsNativeLength(number, length) : null;

    private static PixelCoding GetCoding(EntryHead head) => Codestream.FindCoding(head.MediaType, head.TransferSyntax);

    /// <summary>
    /// The transfer syntax that the answer names. Without a name, it is the transfer syntax of the metadata if the first bytes match,
    /// or else the default of the media type (PS3.18 §8.7.3.3); it is never assumed to be the requested transfer syntax.
    /// </summary>
    private string GetName(EntryHead declared, ReadOnlySpan<byte> start)
    {
        // Implicit VR concerns only the encoding of a dataset, so it is no form of a frame (PS3.18 §8.7.3.3).
        if (declared.TransferSyntax is { } named)
            return named == TransferSyntax.ImplicitLittleEndian ? BodyFormat.ExplicitLittleEndian : named;
        var ofType = Codestream.FindCoding(declared.MediaType, transferSyntax: null);
        if (pixels?.AvailableTransferSyntax is { } available)
        {
            var coding = Codestream.FindCoding(declared.MediaType, available);
            var isOfType = coding == ofType || declared.MediaType == MediaType.OctetStream;
            var hasStart = coding is not (PixelCoding.Native or PixelCoding.Unknown);
            if (isOfType && hasStart && Codestream.CanBegin(coding, start, declared.Length)) return available;
        }
        return BodyFormat.FromMediaType(new(declared.MediaType, []))?.TransferSyntax ?? BodyFormat.ExplicitLittleEndian;
    }

    /// <summary>The media types of bulk pixel data, by their current names and those of PS3.18 before 2016.</summary>
    private static bool IsFrameType(string type) => type is MediaType.OctetStream
        or "image/jpeg" or "image/dicom-rle" or "image/jls" or "image/jp2" or "image/jpx" or "image/jphc" or "image/jxl"
        or "image/x-jls" or "image/x-dicom-rle" or "image/dicom+jpeg" or "image/dicom+rle"
        or "image/dicom+jpeg-ls" or "image/dicom+jpeg-jp2" or "image/dicom+jpeg-jpx"
        or "video/mpeg" or "video/mp4" or "video/mpeg2" or "video/h265" or "video/hevc";
}
