using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace Proxy.Operations;

/// <summary>A JSON file of settings, read again when it changes.</summary>
internal sealed class SettingsFileSource : JsonConfigurationSource
{
    /// <summary>The same file as another source names.</summary>
    public static SettingsFileSource Create(JsonConfigurationSource source) => new()
    {
        Path = source.Path!,
        FileProvider = source.FileProvider!,
        Optional = source.Optional,
        ReloadOnChange = source.ReloadOnChange,
        ReloadDelay = source.ReloadDelay,
    };

    public override IConfigurationProvider Build(IConfigurationBuilder builder)
    {
        EnsureDefaults(builder);
        return new SettingsFile(this);
    }
}

/// <summary>What a file of settings says; while it is not JSON, what it said before.</summary>
/// <remarks>The framework's provider forgets everything that a file said when it can no longer be parsed, and tells nobody.</remarks>
internal sealed class SettingsFile(SettingsFileSource source) : JsonConfigurationProvider(source)
{
    /// <summary>Which file is not JSON, and where; null when it is.</summary>
    public string? Error { get; private set; }

    public override void Load(Stream stream)
    {
        try
        {
            base.Load(stream);
            Error = null;
        }
        catch (FormatException e)
        {
            Error = Describe(Source.Path, e);
        }
    }

    /// <summary>Names the file and the place in it, and nothing of what stands there: it may be a secret.</summary>
    public static string Describe(string? path, Exception exception) => exception switch
    {
        JsonException
        {
            LineNumber: { } line,
            BytePositionInLine: { } position
        } => $"{path}: not JSON at line {line + 1}, character {position + 1}",
        { InnerException: { } inner } => Describe(path, inner),
        _ => $"{path}: not a JSON object of settings",
    };
}
