namespace Proxy.Operations;

/// <summary>A secret: its text, or the path of the file that contains it. Two secrets are equal if their settings are.</summary>
/// <remarks>
/// A file is what container platforms mount and replace while a process runs. Line ends at the end of a file are not part of the secret.
/// </remarks>
public sealed record Secret
{
    /// <summary>The largest file, in bytes.</summary>
    private const int MaxFileBytes = 64 * 1024;

    private readonly string? _text;

    private Secret(string? text, string? file) => (_text, File) = (text, file);

    /// <summary>The path of the file; null if the settings contain the secret.</summary>
    public string? File { get; }

    /// <summary>Reads a setting, or the setting with <c>File</c> appended that names a file in its place.</summary>
    /// <param name="settings">The settings; errors are reported there, without the secret.</param>
    /// <param name="key">The key, such as <c>Backends:east:Authentication:Password</c>.</param>
    /// <returns>The secret; null if neither setting is present.</returns>
    public static Secret? Read(SettingsReader settings, string key)
    {
        var (text, file) = (settings.FindText(key), settings.FindText(key + "File"));
        if (text is not null && file is not null) settings.AddError(key, SettingsInForce.Hidden, $"either this or {key}File, not both");
        if (file is null) return text is null ? null : Check(new(text, file: null), key);
        return Check(new(text: null, Path.GetFullPath(file)), key + "File");

        Secret Check(Secret secret, string at)
        {
            if (secret.TryRead(out var value, out var error))
            {
                if (value.Any(char.IsControl)) error = "no control characters";
                else if (value.Length == 0) error = "it is empty";
            }
            if (error is not null) settings.AddError(at, SettingsInForce.Hidden, error);
            return secret;
        }
    }

    /// <summary>Reads a secret that must be set.</summary>
    public static Secret? Require(SettingsReader settings, string key)
    {
        var secret = Read(settings, key);
        if (secret is null) settings.AddError(key, null, $"required by this scheme; or {key}File, the path of a file that contains it");
        return secret;
    }

    /// <summary>Reads the secret as it is now.</summary>
    /// <param name="value">The secret; empty if it cannot be read.</param>
    /// <param name="error">Why it cannot be read, without the path of the file; null if it can.</param>
    public bool TryRead(out string value, out string? error)
    {
        (value, error) = (_text ?? "", null);
        if (File is null) return true;
        try
        {
            using var stream = System.IO.File.OpenRead(File);
            if (stream.Length > MaxFileBytes)
            {
                error = $"the file has more than {MaxFileBytes} bytes";
                return false;
            }
            using var reader = new StreamReader(stream);
            value = reader.ReadToEnd().TrimEnd('\r', '\n');
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            var isMissing = e is FileNotFoundException or DirectoryNotFoundException;
            error = isMissing ? "the file does not exist" : "the file cannot be read";
            return false;
        }
    }

    /// <summary>Hides the secret.</summary>
    public override string ToString() => SettingsInForce.Hidden;
}

/// <summary>A secret in use: a file is read again when it may have changed.</summary>
/// <param name="secret">The secret.</param>
/// <param name="time">The clock.</param>
internal sealed class CurrentSecret(Secret secret, TimeProvider time)
{
    /// <summary>A file is read at most this often. A change of its content is not visible in the time stamp of a mounted link.</summary>
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private string? _value;
    private long _readAt;

    /// <summary>The secret; the last one that was read if the file cannot be read now.</summary>
    public string Value
    {
        get
        {
            lock (_lock)
            {
                if (_value is not null && (secret.File is null || time.GetElapsedTime(_readAt) < Period)) return _value;
                _readAt = time.GetTimestamp();
                if (secret.TryRead(out var value, out _) && value.Length > 0 && !value.Any(char.IsControl)) _value = value;
                return _value ?? "";
            }
        }
    }
}
