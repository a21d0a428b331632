using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Tests;

/// <summary>The settings that the proxy reads, as tables for people and as a JSON schema for editors.</summary>
internal static partial class SettingsReference
{
    private const string DurationPattern = @"^(0|(\d+\.)?\d{1,2}:\d{2}(:\d{2}(\.\d{1,7})?)?)$";

    /// <summary>Sections whose keys the platform reads: the proxy passes them on.</summary>
    private static readonly (string Key, string Meaning)[] Platform =
    [
        ("Logging", "Log levels and formats, see https://learn.microsoft.com/dotnet/core/extensions/logging"),
        ("Kestrel", "Listeners and certificates, see https://learn.microsoft.com/aspnet/core/fundamentals/servers/kestrel/endpoints"),
    ];

    /// <summary>All settings, each with its general key, such as <c>Backends:{name}:Timeout</c>.</summary>
    public static IReadOnlyList<KnownSetting> ReadAll()
    {
        // One backend for each form of address and credential, and one of all that has a name of its own.
        var sample = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Backends:a:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:a:Authentication:Scheme"] = "Basic",
            ["Backends:m:Kind"] = "Dimse",
            ["Backends:m:Host"] = "127.0.0.1",
            ["Backends:m:CalledAeTitle"] = "PACS",
            ["Backends:m:CallingAeTitle"] = "PROXY",
            ["Backends:b:Destinations:d:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:b:Authentication:Scheme"] = "Bearer",
            ["Backends:c:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:c:Authentication:Scheme"] = "Header",
            ["Backends:o:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:o:Authentication:Scheme"] = "OAuth2",
            ["Backends:t:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:t:Authentication:Scheme"] = "ClientCertificate",
            ["Backends:s:Address"] = "http://127.0.0.1/dicom-web",
            ["Backends:s:Authentication:Scheme"] = "SigV4",
            ["Backends:s:Authentication:AccessKeyId"] = "AKID",
            ["Prefetch:Rules:r:From"] = "02:00",
            ["Security:Access:Rules:r:Roles:0"] = "cardio",
            ["Security:Certificate:Users:u:Subject"] = "CN=u",
        }).Build();
        var known = Settings.Read(sample, out _).Known;
        return
        [
            .. known.Select(setting => setting with { Key = Generalize(setting.Key), Value = null })
                .DistinctBy(setting => setting.Key, StringComparer.OrdinalIgnoreCase)
                // Keep siblings together, in the order of their first one.
                .GroupBy(setting => setting.Key[..setting.Key.LastIndexOf(':')]).SelectMany(siblings => siblings),
        ];
    }

    /// <summary>The tables, one per section, in Markdown.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="meanings">The meaning of each key.</param>
    public static string RenderTables(IEnumerable<KnownSetting> settings, IReadOnlyDictionary<string, string> meanings)
    {
        var text = new StringBuilder();
        foreach (var section in settings.GroupBy(setting => setting.Key.Split(':')[0]))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {section.Key}\n");
            text.Append("| setting | default | allowed | meaning |\n|---|---|---|---|\n");
            foreach (var setting in section)
            {
                text.Append("| ").AppendJoin(
                    " | ", $"`{setting.Key}`", setting.Default is { } value ? Humanize(setting, value) : "none", DescribeRange(setting),
                    meanings.GetValueOrDefault(setting.Key, "")).Append(" |\n");
            }
        }
        return text.ToString();
    }

    /// <summary>The meanings in the tables of a document, by key.</summary>
    public static Dictionary<string, string> ReadMeanings(string document) =>
        Row().Matches(document).ToDictionary(row => row.Groups["key"].Value, row => row.Groups["meaning"].Value);

    /// <summary>The JSON schema (draft 7, which editors know best) of a settings file.</summary>
    public static string RenderSchema(IEnumerable<KnownSetting> settings, IReadOnlyDictionary<string, string> meanings)
    {
        var root = CreateObject();
        foreach (var setting in settings)
        {
            var parts = setting.Key.Split(':');
            var parent = parts[..^1].Aggregate(root, Descend);
            var node = CreateValue(setting);
            var meaning = MarkdownLink().Replace(meanings.GetValueOrDefault(setting.Key, ""), "$1");
            node["description"] = meaning.Replace("`", "", StringComparison.Ordinal);
            parent["properties"]!.AsObject()[parts[^1]] = node;
        }
        var members = root["properties"]!.AsObject();
        foreach (var (key, meaning) in Platform)
        {
            if (!members.ContainsKey(key)) members[key] = new JsonObject { ["type"] = "object", ["description"] = meaning };
        }
        foreach (var key in BackendOptions.YarpKeys.Except(["Destinations"]))
        {
            members["Backends"]!["additionalProperties"]!["properties"]![key] = new JsonObject
            {
                ["type"] = key == "LoadBalancingPolicy" ? "string" : "object",
                ["description"] = "As YARP documents it: https://learn.microsoft.com/aspnet/core/fundamentals/servers/yarp/config-files",
            };
        }
        foreach (var key in (string[])["$schema", "urls", "http_ports", "https_ports"])
            members[key] = new JsonObject { ["type"] = "string" };
        var schema = new JsonObject
        {
            ["$schema"] = "http://json-schema.org/draft-07/schema#",
            ["title"] = "Settings of the DICOMweb proxy: appsettings.json and config/*.json",
        };
        foreach (var (key, value) in root.ToList())
        {
            root.Remove(key);
            schema[key] = value;
        }
        return schema.ToJsonString(new JsonSerializerOptions
        {
            WriteIndented = true,
            NewLine = "\n",
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }) + "\n";
    }

    private static string Generalize(string key) => OwnName().Replace(key, "$1:{name}");

    private static JsonObject CreateObject() => new()
    {
        ["type"] = "object",
        ["properties"] = new JsonObject(),
        ["additionalProperties"] = false,
    };

    private static JsonObject Descend(JsonObject parent, string part)
    {
        if (part == "{name}")
        {
            if (parent["additionalProperties"] is JsonObject any) return any;
            var created = CreateObject();
            parent["additionalProperties"] = created;
            return created;
        }
        var properties = parent["properties"]!.AsObject();
        if (properties[part] is JsonObject found) return found;
        var child = CreateObject();
        properties[part] = child;
        return child;
    }

    private static JsonObject CreateValue(KnownSetting setting)
    {
        var node = setting.Kind switch
        {
            SettingKind.Flag => new JsonObject { ["type"] = "boolean" },
            SettingKind.Number => new JsonObject { ["type"] = "integer" },
            SettingKind.Duration => new JsonObject { ["type"] = "string", ["pattern"] = DurationPattern },
            SettingKind.Choice => new JsonObject { ["enum"] = new JsonArray([.. setting.Choices.Select(c => JsonValue.Create(c))]) },
            SettingKind.List => new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
            _ => new JsonObject { ["type"] = "string" },
        };
        if (setting.Kind == SettingKind.Number)
        {
            if (setting.Min is { } min) node["minimum"] = long.Parse(min, CultureInfo.InvariantCulture);
            if (setting.Max is { } max) node["maximum"] = long.Parse(max, CultureInfo.InvariantCulture);
        }
        if (setting.Default is { } value)
        {
            node["default"] = setting.Kind switch
            {
                SettingKind.Flag => JsonValue.Create(bool.Parse(value)),
                SettingKind.Number => JsonValue.Create(long.Parse(value, CultureInfo.InvariantCulture)),
                _ => JsonValue.Create(value),
            };
        }
        return node;
    }

    private static string DescribeRange(KnownSetting setting) => setting.Kind switch
    {
        SettingKind.Flag => "`true`, `false`",
        SettingKind.Choice => string.Join(", ", setting.Choices.Select(choice => $"`{choice}`")),
        SettingKind.List => "list",
        SettingKind.Text => "text",
        _ when setting.Max is { } max => $"{Humanize(setting, setting.Min!)} to {Humanize(setting, max)}",
        _ => $"{Humanize(setting, setting.Min!)} or more",
    };

    private static string Humanize(KnownSetting setting, string value)
    {
        if (setting.Kind == SettingKind.Duration && TimeSpan.Parse(value, CultureInfo.InvariantCulture) is var time)
        {
            if (time < TimeSpan.FromSeconds(1)) return time == TimeSpan.Zero ? "0" : $"{time.TotalMilliseconds} ms";
            return $"`{value}`";
        }
        if (setting.Kind != SettingKind.Number) return $"`{value}`";
        var number = long.Parse(value, CultureInfo.InvariantCulture);
        var isSize = setting.Key.EndsWith("Bytes", StringComparison.Ordinal) && number > 0;
        if (isSize && number % (1L << 30) == 0) return $"{number >> 30} GiB";
        if (isSize && number % (1L << 20) == 0) return $"{number >> 20} MiB";
        return number.ToString("N0", CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(@"(?<=^|:)(Backends|Rules|Destinations|Users):[^:]+")]
    private static partial Regex OwnName();

    [GeneratedRegex(@"\[([^\]]+)\]\([^)]+\)")]
    private static partial Regex MarkdownLink();

    [GeneratedRegex(@"^\| `(?<key>[A-Za-z{}:]+)` \| [^|]* \| [^|]* \| (?<meaning>[^\n]*) \|$", RegexOptions.Multiline)]
    private static partial Regex Row();
}
