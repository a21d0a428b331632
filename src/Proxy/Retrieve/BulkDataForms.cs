using System.Collections.Immutable;
using Proxy.Cache;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;

namespace Proxy.Retrieve;

/// <summary>The media types of bulk data that a client accepts, best first (PS3.18 §8.7.3.3, §8.7.8.1).</summary>
/// <remarks>
/// <code>
/// application/octet-stream                     the value, uncompressed        */*    the form that the archive gives
/// application/octet-stream; transfer-syntax=*  the value as stored
/// image/jp2, video/mp4, application/pdf, …     only if the value has this type
/// </code>
/// Archives are asked for octets by default, because some give nothing else, and often name a document or a video octets too. A named
/// type is asked for only where octets do not serve the client.
/// </remarks>
internal sealed class BulkDataForms
{
    private readonly ImmutableArray<Form> _forms;
    private readonly ImmutableArray<MediaType> _refused;

    private BulkDataForms(ImmutableArray<Form> forms, ImmutableArray<MediaType> refused) => (_forms, _refused) = (forms, refused);

    /// <summary>One accepted media type.</summary>
    /// <param name="Type">The type of the value itself, in lower case; its subtype may be <c>*</c>.</param>
    /// <param name="TransferSyntax">The UID; empty for any.</param>
    /// <param name="Rank">0 for the best.</param>
    /// <param name="IsMultipart">True when the value is a part of a multipart answer.</param>
    private readonly record struct Form(string Type, string TransferSyntax, int Rank, bool IsMultipart)
    {
        public bool IsGeneral => Type == MediaType.OctetStream || Type.EndsWith("/*", StringComparison.Ordinal);

        /// <summary>False for a type that no archive gives, such as <c>image/webp</c>, which browsers accept.</summary>
        public bool IsGiven => IsGeneral || Type == "application/pdf" || Type.StartsWith("model/", StringComparison.Ordinal)
            || BodyFormat.FromMediaType(new(Type, [])) is not null;
    }

    /// <summary>The form of an answer.</summary>
    /// <param name="Head">The head of the body, with the media type that the client gets.</param>
    /// <param name="IsMultipart">True when the body is a part of a multipart answer.</param>
    public readonly record struct Chosen(EntryHead Head, bool IsMultipart);

    /// <summary>True when an answer with several parts is accepted.</summary>
    public bool AcceptsMultipart => _forms.Any(form => form.IsMultipart);

    /// <summary>True when no accepted type can be one of bulk data.</summary>
    public bool IsEmpty => _forms.IsEmpty;

    /// <summary>
    /// What the archive is asked for, one after the other until a body has an accepted form: null for octets or the archive's choice.
    /// </summary>
    public ImmutableArray<BodyFormat?> Requests { get; private init; } = [];

    /// <summary>Reads the accepted media types.</summary>
    /// <param name="accept">The accepted types of the request; without any, the archive's choice is accepted.</param>
    public static BulkDataForms Read(Accept accept)
    {
        List<Form> forms = accept.IsAbsent ? [new("*/*", "", 0, false)] : [];
        foreach (var (type, rank) in accept.Types)
        {
            if (forms.Count < Negotiation.MaxAlternatives && Read(type, rank) is { } form) forms.Add(form);
        }
        // Of equal types, octets go first: every archive gives them, and they are usually cached.
        var requests = forms.Where(f => f.IsGiven).OrderBy(f => f.Rank).ThenBy(f => f.IsGeneral ? 0 : 1)
            .Select(f => f.IsGeneral ? null : new BodyFormat(f.Type, f.TransferSyntax));
        return new([.. forms], accept.Refused)
        {
            Requests = forms.Count == 0 ? [] : [.. requests.Append(null).Distinct()],
        };
    }

    /// <summary>The best form that a body has; null when the client does not accept the body.</summary>
    /// <param name="head">The head of the body, as received.</param>
    public Chosen? Choose(EntryHead head)
    {
        foreach (var form in _forms)
        {
            var type = form.Type == MediaType.OctetStream && !IsCompressed(head) ? MediaType.OctetStream : head.MediaType;
            if (IsSatisfied(form, head, type) && !_refused.Any(r => r.Is(type)))
                return new(head with { MediaType = type }, form.IsMultipart);
        }
        return null;
    }

    private static Form? Read(MediaType accepted, int rank)
    {
        var isMultipart = accepted.IsMultipart;
        if (isMultipart && !accepted.Is(MediaType.MultipartRelated) && !accepted.Is("multipart/*")) return null;
        var type = isMultipart ? accepted.Find("type")?.ToLowerInvariant() ?? MediaType.OctetStream : accepted.Type;
        // The current names of older types (PS3.18 §8.7.3.3.2).
        type = type switch { "image/x-jls" => "image/jls", "image/x-dicom-rle" => "image/dicom-rle", _ => type };
        var isWildcard = type is "*/*" or "application/*" or "image/*" or "video/*" or "audio/*" or "model/*" or "text/*";
        // Other types are never sent, so an archive need not be asked for them.
        if (!isWildcard && InertBody.GetContentType(type) != type) return null;
        var syntax = accepted.Find("transfer-syntax") ?? (type == MediaType.OctetStream ? BodyFormat.ExplicitLittleEndian : "");
        if (syntax == BodyFormat.Any) syntax = "";
        return syntax.Length == 0 || Uid.TryParse(syntax, out _) ? new(type, syntax, rank, isMultipart) : null;
    }

    private static bool IsSatisfied(Form form, EntryHead head, string type) => form.Type switch
    {
        "*/*" => true,
        MediaType.OctetStream => form.TransferSyntax.Length == 0 || form.TransferSyntax == GetTransferSyntax(head),
        _ when form.Type.EndsWith("/*", StringComparison.Ordinal) => type.StartsWith(form.Type[..^1], StringComparison.Ordinal),
        _ => form.Type == type && (form.TransferSyntax.Length == 0 || form.TransferSyntax == head.TransferSyntax),
    };

    /// <summary>
    /// A value other than a compressed image is its bytes in little endian order, in any media type. That includes a video, which no
    /// archive decompresses.
    /// </summary>
    private static string? GetTransferSyntax(EntryHead head) => IsCompressed(head) ? head.TransferSyntax : BodyFormat.ExplicitLittleEndian;

    private static bool IsCompressed(EntryHead head) =>
        Codestream.FindCoding(head.MediaType, head.TransferSyntax)
            is PixelCoding.Jpeg or PixelCoding.Jpeg2000 or PixelCoding.JpegXl or PixelCoding.Rle;
}
