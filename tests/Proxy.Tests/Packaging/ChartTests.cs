using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Proxy.Tests.Rules;
using Xunit;

namespace Proxy.Tests.Packaging;

/// <summary>The Helm chart renders to the objects of Kubernetes that it promises, and its values are described by its schema.</summary>
public sealed class ChartTests
{
    private const string Chart = "deploy/helm/dicomweb-proxy";

    private static readonly JsonObject Defaults = ReadFile("values.yaml");

    [Fact]
    public void HasADeploymentWithProbes_AndWithoutRights()
    {
        var pod = Render()["deployment.yaml"]!["spec"]!["template"]!["spec"]!;
        var container = pod["containers"]![0]!;

        Assert.Equal("/health/live", (string)container["livenessProbe"]!["httpGet"]!["path"]!);
        Assert.Equal("/health/live", (string)container["startupProbe"]!["httpGet"]!["path"]!);
        Assert.Equal("/health/ready", (string)container["readinessProbe"]!["httpGet"]!["path"]!);
        Assert.True((bool)container["securityContext"]!["readOnlyRootFilesystem"]!);
        Assert.False((bool)container["securityContext"]!["allowPrivilegeEscalation"]!);
        Assert.Equal(["ALL"], container["securityContext"]!["capabilities"]!["drop"]!.AsArray().Select(c => (string)c!));
        Assert.True((bool)pod["securityContext"]!["runAsNonRoot"]!);
        Assert.False((bool)pod["automountServiceAccountToken"]!);
        Assert.Equal("registry.example/dicomweb-proxy:1.0.0", (string)container["image"]!);
        Assert.Equal("Recreate", (string)Render()["deployment.yaml"]!["spec"]!["strategy"]!["type"]!);
        var drain = TimeSpan.Parse((string)Defaults["settings"]!["Shutdown"]!["Drain"]!, System.Globalization.CultureInfo.InvariantCulture);
        Assert.True((long)pod["terminationGracePeriodSeconds"]! >= (drain + Proxy.Security.ShutdownOptions.Reserve).TotalSeconds);
    }

    /// <summary>Names and labels by which the objects find each other.</summary>
    [Fact]
    public void TheObjectsFindEachOther()
    {
        var objects = Render(values =>
        {
            values["ingress"]!["enabled"] = true;
            values["serviceMonitor"]!["enabled"] = true;
        });
        var deployment = objects["deployment.yaml"]!["spec"]!;
        var pod = deployment["template"]!;
        var labels = pod["metadata"]!["labels"]!.ToJsonString();

        Assert.Equal(labels, deployment["selector"]!["matchLabels"]!.ToJsonString());
        Assert.Equal(labels, objects["service.yaml"]!["spec"]!["selector"]!.ToJsonString());
        Assert.Equal(labels, objects["networkpolicy.yaml"]!["spec"]!["podSelector"]!["matchLabels"]!.ToJsonString());
        Assert.Equal(labels, objects["servicemonitor.yaml"]!["spec"]!["selector"]!["matchLabels"]!.ToJsonString());
        Assert.Equal("http", (string)pod["spec"]!["containers"]![0]!["ports"]![0]!["name"]!);
        Assert.Equal("http", (string)objects["service.yaml"]!["spec"]!["ports"]![0]!["targetPort"]!);
        var volumes = pod["spec"]!["volumes"]!;
        Assert.Equal(Name(objects["configmap.yaml"]), (string)volumes[0]!["configMap"]!["name"]!);
        Assert.Equal(Name(objects["pvc.yaml"]), (string)volumes[1]!["persistentVolumeClaim"]!["claimName"]!);
        var backend = objects["ingress.yaml"]!["spec"]!["rules"]![0]!["http"]!["paths"]![0]!["backend"]!["service"]!;
        Assert.Equal(Name(objects["service.yaml"]), (string)backend["name"]!);
        Assert.All(objects.Values, o => Assert.NotEmpty((string)o!["apiVersion"]! + (string)o["kind"]!));
    }

    [Fact]
    public void TheSettingsAreValid_WithAPacs()
    {
        var objects = Render(values =>
        {
            values["settings"]!["Backends"] = JsonNode.Parse("""{ "east": { "Address": "http://orthanc.pacs.svc:8042/dicom-web" } }""");
            values["settings"]!["Security"]!["AllowAnonymous"] = true;
        });
        var file = (string)objects["configmap.yaml"]!["data"]!["settings.json"]!;
        var environment = objects["deployment.yaml"]!["spec"]!["template"]!["spec"]!["containers"]![0]!["env"]!.AsArray()
            .ToDictionary(e => ((string)e!["name"]!).Replace("__", ":", StringComparison.Ordinal), e => (string?)e!["value"]);
        var configuration = new ConfigurationBuilder().AddJsonStream(new MemoryStream(Encoding.UTF8.GetBytes(file)))
            .AddInMemoryCollection(environment).AddInMemoryCollection([new("urls", "http://0.0.0.0:8080")]).Build();

        var settings = Settings.Read(configuration, out var errors);

        Assert.Empty(errors);
        Assert.Equal("east", Assert.Single(settings.Backends).Name);
        Assert.Contains("demo.pacs.svc", settings.Security.AllowedHosts);
    }

    [Fact]
    public void EveryOptionRenders()
    {
        var objects = Render(values =>
        {
            foreach (var part in (string[])["ingress", "serviceMonitor"]) values[part]!["enabled"] = true;
            values["ingress"]!["className"] = "nginx";
            values["ingress"]!["tlsSecret"] = "tls";
            values["ingress"]!["annotations"] = new JsonObject { ["nginx.ingress.kubernetes.io/proxy-body-size"] = "4g" };
            values["serviceMonitor"]!["labels"] = new JsonObject { ["release"] = "prometheus" };
            values["persistence"]!["existingClaim"] = "mine";
            values["existingSecret"] = "secret";
            values["image"]!["tag"] = "2.0";
            values["networkPolicy"]!["to"] = JsonNode.Parse("""[{ "to": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }] }]""");
            values["networkPolicy"]!["from"] = JsonNode.Parse("""[{ "namespaceSelector": {} }]""");
            foreach (var part in (string[])["podAnnotations", "nodeSelector", "affinity"]) values[part] = new JsonObject { ["a"] = "b" };
            foreach (var part in (string[])["tolerations", "imagePullSecrets"]) values[part] = JsonNode.Parse("""[{ "name": "x" }]""");
        });

        Assert.False(objects.ContainsKey("pvc.yaml"));
        var pod = objects["deployment.yaml"]!["spec"]!["template"]!["spec"]!;
        Assert.Equal("mine", (string)pod["volumes"]![1]!["persistentVolumeClaim"]!["claimName"]!);
        Assert.Equal("registry.example/dicomweb-proxy:2.0", (string)pod["containers"]![0]!["image"]!);
        Assert.Equal("b", (string)pod["affinity"]!["a"]!);
        Assert.Equal("x", (string)pod["tolerations"]![0]!["name"]!);
        Assert.Equal(2, objects["networkpolicy.yaml"]!["spec"]!["egress"]!.AsArray().Count);
        Assert.Equal("prometheus", (string)objects["servicemonitor.yaml"]!["metadata"]!["labels"]!["release"]!);
        Assert.Equal("4g", (string)objects["ingress.yaml"]!["metadata"]!["annotations"]!["nginx.ingress.kubernetes.io/proxy-body-size"]!);
    }

    [Fact]
    public void EveryValueIsUsedAndDescribed()
    {
        var used = Directory.GetFiles(SourceTree.GetPath(Chart + "/templates"))
            .SelectMany(file => ChartTemplate.FindPaths(File.ReadAllText(file))).Distinct().ToList();
        var schema = JsonNode.Parse(File.ReadAllText(SourceTree.GetPath(Chart + "/values.schema.json")))!["properties"]!.AsObject();

        foreach (var path in used) Assert.True(path.Split('.').Aggregate((JsonNode?)Defaults, (n, name) => n?[name]) is not null, path);
        foreach (var (key, value) in Defaults)
        {
            Assert.Contains(used, path => path.Split('.')[0] == key);
            Assert.True(schema.ContainsKey(key), key);
            if (schema[key]!["properties"] is not JsonObject members) continue;
            Assert.Equal(value!.AsObject().Select(v => v.Key).Order(), members.Select(m => m.Key).Order());
            foreach (var (name, _) in value.AsObject()) Assert.Contains($"{key}.{name}", used);
        }
    }

    private static Dictionary<string, JsonNode?> Render(Action<JsonObject>? change = null)
    {
        var values = Defaults.DeepClone().AsObject();
        change?.Invoke(values);
        var description = ReadFile("Chart.yaml");
        var template = new ChartTemplate(new JsonObject
        {
            ["Values"] = values,
            ["Chart"] = new JsonObject { ["Name"] = (string)description["name"]!, ["AppVersion"] = (string)description["appVersion"]! },
            ["Release"] = new JsonObject { ["Name"] = "demo", ["Namespace"] = "pacs", ["Service"] = "Helm" },
        });
        var objects = new Dictionary<string, JsonNode?>();
        foreach (var file in Directory.GetFiles(SourceTree.GetPath(Chart + "/templates"), "*.yaml"))
        {
            var documents = ChartTemplate.ReadYaml(template.Render(File.ReadAllText(file)));
            if (documents.Count > 0 && documents[0] is { } document) objects[Path.GetFileName(file)] = document;
        }
        return objects;
    }

    private static string Name(JsonNode? node) => (string)node!["metadata"]!["name"]!;

    private static JsonObject ReadFile(string name) =>
        ChartTemplate.ReadYaml(File.ReadAllText(SourceTree.GetPath($"{Chart}/{name}")))[0]!.AsObject();
}
