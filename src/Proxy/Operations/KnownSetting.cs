namespace Proxy.Operations;

/// <summary>The form of a setting's value.</summary>
public enum SettingKind
{
    /// <summary>Any text.</summary>
    Text,

    /// <summary>A list of texts.</summary>
    List,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Flag,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A duration <c>hh:mm:ss</c>, with days before it: <c>d.hh:mm:ss</c>.</summary>
    Duration,

    /// <summary>One of several words.</summary>
    Choice,
}

/// <summary>A setting that the proxy reads, with its value and the values that are allowed.</summary>
/// <param name="Key">The key, such as <c>Search:Deadline</c>.</param>
/// <param name="Kind">The form of the value.</param>
/// <param name="Default">The default as text; null for none.</param>
public sealed record KnownSetting(string Key, SettingKind Kind, string? Default)
{
    /// <summary>The value in force as text, or the default; null for none.</summary>
    public string? Value { get; init; }

    /// <summary>The lowest value of a number or a duration; null for none.</summary>
    public string? Min { get; init; }

    /// <summary>The highest value of a number or a duration; null for none.</summary>
    public string? Max { get; init; }

    /// <summary>The words of a choice.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];
}
