using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using YamlDotNet.RepresentationModel;

namespace Proxy.Tests.Packaging;

/// <summary>Renders the part of Helm's template language that the chart uses: if, else, pipelines and paths.</summary>
/// <param name="values">The values by their path's first word: Values, Release and Chart.</param>
internal sealed partial class ChartTemplate(JsonObject values)
{
    /// <summary>Renders a template.</summary>
    public string Render(string template)
    {
        var text = new StringBuilder();
        // For each open "if": whether its lines are written, and whether a branch was already taken.
        var open = new Stack<(bool IsOn, bool WasOn)>();
        var at = 0;
        foreach (Match action in Action().Matches(template))
        {
            var before = template[at..action.Index];
            if (action.Groups["trim"].Success) before = before.TrimEnd();
            if (open.All(o => o.IsOn)) text.Append(before);
            at = action.Index + action.Length;
            var words = action.Groups["body"].Value.Trim();
            if (words.StartsWith("if ", StringComparison.Ordinal)) open.Push(Both(IsTrue(Evaluate(words[3..]))));
            else if (words == "else") open.Push((!open.Peek().WasOn, open.Pop().WasOn));
            else if (words == "end") open.Pop();
            else if (open.All(o => o.IsOn)) text.Append(Show(Evaluate(words)));
        }
        if (open.Count > 0) throw new FormatException("An if has no end.");
        return text.Append(template[at..]).ToString();

        static (bool, bool) Both(bool value) => (value, value);
    }

    /// <summary>The paths below .Values that a template uses.</summary>
    public static IEnumerable<string> FindPaths(string template) =>
        ValuePath().Matches(template).Select(m => m.Groups[1].Value).Distinct();

    /// <summary>A YAML document as JSON; plain scalars become numbers and booleans where YAML 1.2 says so.</summary>
    public static JsonNode? ToJson(YamlNode node) => node switch
    {
        YamlMappingNode map => new JsonObject(map.Children.Select(c => KeyValuePair.Create(c.Key.ToString(), ToJson(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
        YamlScalarNode { Style: YamlDotNet.Core.ScalarStyle.Plain, Value: var plain } => plain switch
        {
            "" or "null" or "~" => null,
            "true" => JsonValue.Create(true),
            "false" => JsonValue.Create(false),
            _ when long.TryParse(plain, CultureInfo.InvariantCulture, out var number) => JsonValue.Create(number),
            _ => JsonValue.Create(plain),
        },
        YamlScalarNode scalar => JsonValue.Create(scalar.Value),
        _ => throw new FormatException("An alias is not supported."),
    };

    /// <summary>The documents of a YAML text.</summary>
    public static IReadOnlyList<JsonNode?> ReadYaml(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        return [.. stream.Documents.Select(d => ToJson(d.RootNode))];
    }

    private static string Show(object? value) => value switch
    {
        null => "",
        JsonValue json when json.TryGetValue<bool>(out var flag) => flag ? "true" : "false",
        _ => value.ToString()!,
    };

    private static bool IsTrue(object? value) => value switch
    {
        null or "" => false,
        bool flag => flag,
        JsonObject map => map.Count > 0,
        JsonArray list => list.Count > 0,
        JsonValue json when json.TryGetValue<bool>(out var flag) => flag,
        _ => value.ToString() is not ("" or "0"),
    };

    private object? Evaluate(string pipeline)
    {
        object? value = null;
        foreach (var call in pipeline.Split('|', StringSplitOptions.TrimEntries))
        {
            var words = call.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            value = words[0] switch
            {
                ['.', ..] => Find(words[0]),
                "not" => !IsTrue(Find(words[1])),
                "quote" => JsonSerializer.Serialize(Show(value)),
                "default" => IsTrue(value) ? value : Find(words[1]),
                "toYaml" => ToYaml((JsonNode)value!),
                "toPrettyJson" => ((JsonNode)value!).ToJsonString(new JsonSerializerOptions { WriteIndented = true }),
                "nindent" => Indent((string)value!, int.Parse(words[1], CultureInfo.InvariantCulture)),
                var other => throw new FormatException($"{other} is not supported."),
            };
        }
        return value;
    }

    private static string Indent(string text, int by) =>
        "\n" + string.Join('\n', text.TrimEnd().Split('\n').Select(line => new string(' ', by) + line));

    /// <summary>JSON is YAML; one member or element per line keeps it indented.</summary>
    private static string ToYaml(JsonNode node) => node switch
    {
        JsonObject map => string.Join('\n', map.Select(m => $"{m.Key}: {m.Value?.ToJsonString() ?? "null"}")),
        JsonArray list => string.Join('\n', list.Select(e => $"- {e?.ToJsonString() ?? "null"}")),
        _ => node.ToJsonString(),
    };

    private object? Find(string path) =>
        path.Split('.', StringSplitOptions.RemoveEmptyEntries).Aggregate((JsonNode?)values, (node, name) => node?[name]);

    [GeneratedRegex(@"\{\{(?<trim>-)? (?<body>[^{}]+?) \}\}")]
    private static partial Regex Action();

    [GeneratedRegex(@"\.Values\.([A-Za-z.]+)")]
    private static partial Regex ValuePath();
}
