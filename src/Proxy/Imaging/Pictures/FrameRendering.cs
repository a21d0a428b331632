using System.Diagnostics.CodeAnalysis;

namespace Proxy.Imaging.Pictures;

/// <summary>The result of rendering: the picture, or the reason why the frame cannot be rendered.</summary>
public sealed class FrameRendering
{
    private FrameRendering(Picture? picture, string? reason) => (Picture, Reason) = (picture, reason);

    /// <summary>The picture; null when the frame cannot be rendered.</summary>
    public Picture? Picture { get; }

    /// <summary>
    /// Why the frame cannot be rendered, as part of a sentence such as "its Photometric Interpretation is YBR_PARTIAL_420"; null when
    /// it was. It contains no patient data.
    /// </summary>
    public string? Reason { get; }

    /// <summary>True when there is a picture.</summary>
    [MemberNotNullWhen(true, nameof(Picture))]
    [MemberNotNullWhen(false, nameof(Reason))]
    public bool IsRendered => Picture is not null;

    /// <summary>A rendered picture.</summary>
    public static FrameRendering Rendered(Picture picture) => new(picture, null);

    /// <summary>A frame that cannot be rendered.</summary>
    /// <param name="reason">See <see cref="Reason"/>.</param>
    public static FrameRendering CannotRender(string reason) => new(null, reason);
}
