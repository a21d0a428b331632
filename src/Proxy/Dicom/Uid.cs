using System.Diagnostics.CodeAnalysis;

namespace Proxy.Dicom;

/// <summary>A DICOM unique identifier: 1 to 64 characters, components of digits with single dots between them (PS3.5 §9.1).</summary>
/// <remarks>
/// <para>
/// Read more leniently than PS3.5 §9.1 in two points. A component may begin with zeros, because old archives hold such UIDs; UIDs
/// are compared as text, so <c>1.02</c> and <c>1.2</c> differ. Trailing padding (spaces, NULs) is removed: it is not part of the UID.
/// </para>
/// <para>
/// Every UID from a client or a backend is parsed here, so a <see cref="Uid"/> is safe to write into a URL, a cache key
/// or a log line.
/// </para>
/// </remarks>
public readonly record struct Uid : IComparable<Uid>
{
    /// <summary>The longest UID that PS3.5 §9.1 allows, in characters.</summary>
    public const int MaxLength = 64;

    private readonly string? _value;

    private Uid(string value) => _value = value;

    /// <summary>Reads a UID and removes its trailing padding.</summary>
    /// <exception cref="FormatException">The text is not a UID.</exception>
    public static Uid Parse(string text) =>
        TryParse(text, out var uid) ? uid : throw new FormatException("Not a UID (PS3.5 §9.1).");

    /// <summary>Reads a UID and removes its trailing padding; false when the text is not a UID.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Uid uid)
    {
        uid = default;
        if (text is null) return false;
        text = text.TrimEnd('\0', ' ');
        if (!IsUid<char>(text)) return false;
        uid = new(text);
        return true;
    }

    /// <inheritdoc cref="TryParse(string?, out Uid)"/>
    public static bool TryParse(ReadOnlySpan<char> text, out Uid uid)
    {
        text = text.TrimEnd("\0 ");
        uid = default;
        if (!IsUid(text)) return false;
        uid = new(new string(text));
        return true;
    }

    /// <inheritdoc cref="TryParse(string?, out Uid)"/>
    public static bool TryParse(ReadOnlySpan<byte> text, out Uid uid)
    {
        text = text.TrimEnd("\0 "u8);
        uid = default;
        if (!IsUid(text)) return false;
        uid = new(System.Text.Encoding.ASCII.GetString(text));
        return true;
    }

    /// <inheritdoc/>
    public int CompareTo(Uid other) => string.CompareOrdinal(_value, other._value);

    /// <summary>The UID as text; empty for the default value.</summary>
    public override string ToString() => _value ?? "";

    /// <summary>Compares ordinally, as text.</summary>
    public static bool operator <(Uid left, Uid right) => left.CompareTo(right) < 0;

    /// <summary>Compares ordinally, as text.</summary>
    public static bool operator >(Uid left, Uid right) => left.CompareTo(right) > 0;

    /// <summary>Compares ordinally, as text.</summary>
    public static bool operator <=(Uid left, Uid right) => left.CompareTo(right) <= 0;

    /// <summary>Compares ordinally, as text.</summary>
    public static bool operator >=(Uid left, Uid right) => left.CompareTo(right) >= 0;

    /// <summary>True for non-empty components of digits, separated by single dots.</summary>
    internal static bool IsUid<T>(ReadOnlySpan<T> text) where T : struct, System.Numerics.IBinaryInteger<T>
    {
        if (text.IsEmpty || text.Length > MaxLength) return false;
        var isEmpty = true;
        foreach (var character in text)
        {
            var digit = uint.CreateTruncating(character) - '0';
            if (digit > 9 && (digit != unchecked((uint)('.' - '0')) || isEmpty)) return false;
            isEmpty = digit > 9;
        }
        return !isEmpty;
    }
}
