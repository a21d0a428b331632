using System.Diagnostics.CodeAnalysis;

namespace Proxy.Imaging;

/// <summary>The result of encoding a frame: the codestream, or the reason why the frame is not encoded.</summary>
public sealed class FrameEncoding
{
    private FrameEncoding(byte[]? codestream, string? reason) => (Codestream, Reason) = (codestream, reason);

    /// <summary>The codestream, without padding; null when the frame is not encoded.</summary>
    [SuppressMessage("Performance", "CA1819", Justification = "The codestream goes to the caller, which owns it.")]
    public byte[]? Codestream { get; }

    /// <summary>Why the frame is not encoded, as part of a sentence: "it has 32 bits per sample"; null when it is.</summary>
    public string? Reason { get; }

    /// <summary>True when the frame was encoded.</summary>
    [MemberNotNullWhen(true, nameof(Codestream))]
    [MemberNotNullWhen(false, nameof(Reason))]
    public bool IsEncoded => Codestream is not null;

    /// <summary>An encoded frame.</summary>
    public static FrameEncoding Encoded(byte[] codestream) => new(codestream, null);

    /// <summary>A frame that is not encoded.</summary>
    /// <param name="reason">See <see cref="Reason"/>.</param>
    public static FrameEncoding NotEncoded(string reason) => new(null, reason);
}
