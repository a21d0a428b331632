using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;

namespace Proxy.Operations;

/// <summary>A JSON settings file that is reloaded when it changes.</summary>
internal sealed class SettingsFileSource : JsonConfigurationSource
{
    /// <summary>The path as an operator knows it: <c>appsettings.json</c> or <c>config/backends.json</c>.</summary>
    public required string Name { get; init; }

    /// <summary>A source for the same file as <paramref name="source"/>.</summary>
    public static SettingsFileSource Create(JsonConfigurationSource source) => new()
    {
        Name = source.Path!,
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

/// <summary>The settings of a file; if the file is not valid JSON, the settings of its last valid version.</summary>
/// <remarks>The framework's provider silently drops all settings of a file that it cannot parse.</remarks>
internal sealed class SettingsFile(SettingsFileSource source) : JsonConfigurationProvider(source)
{
    /// <summary>The path as an operator knows it.</summary>
    public string Name => source.Name;

    /// <summary>The file and the position at which it is not JSON; null if it is valid.</summary>
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

    /// <summary>Names the file and the position but never its content, which may be a secret.</summary>
    public static string Describe(string? path, Exception exception) => exception switch
    {
        JsonException { LineNumber: { } line, BytePositionInLine: { } position } =>
            $"{path}: not JSON at line {line + 1}, character {position + 1}",
        { InnerException: { } inner } => Describe(path, inner),
        _ => $"{path}: not a JSON object of settings",
    };
}
