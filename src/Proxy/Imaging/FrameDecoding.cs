using System.Diagnostics.CodeAnalysis;

namespace Proxy.Imaging;

/// <summary>The result of decoding a frame: the frame, or the reason why it cannot be decoded.</summary>
public sealed class FrameDecoding
{
    private FrameDecoding(NativeFrame? frame, string? reason) => (Frame, Reason) = (frame, reason);

    /// <summary>The decoded frame; null when it cannot be decoded.</summary>
    public NativeFrame? Frame { get; }

    /// <summary>Why the frame cannot be decoded, as part of a sentence: "its codestream has 4 components"; null when it was.</summary>
    public string? Reason { get; }

    /// <summary>True when the frame was decoded.</summary>
    [MemberNotNullWhen(true, nameof(Frame))]
    [MemberNotNullWhen(false, nameof(Reason))]
    public bool IsDecoded => Frame is not null;

    /// <summary>A decoded frame.</summary>
    public static FrameDecoding Decoded(NativeFrame frame) => new(frame, null);

    /// <summary>A frame that cannot be decoded.</summary>
    /// <param name="reason">See <see cref="Reason"/>.</param>
    public static FrameDecoding CannotDecode(string reason) => new(null, reason);
}
