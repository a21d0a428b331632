using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Proxy.Benchmarks;

/// <summary>
/// What authentication and access rules cost a hit: three proxies in processes of their own, asked in turns; the processor time of each
/// for a request, as a multiple of that of the proxy without authentication.
/// </summary>
internal static class IdentityRun
{
    private const int Batch = 1_000;
    private const int Rounds = 12;

    public static async Task RunAsync()
    {
        using var key = RSA.Create(2048);
        var keys = Path.Combine(Directory.CreateTempSubdirectory("identity-run-").FullName, "jwks.json");
        await File.WriteAllTextAsync(keys, DescribeKey(key));
        var pacs = await FixedPacs.StartAsync();
        string[] common = [$"--Backends:east:Address={pacs.Root}", "--Cache:Metadata:Freshness=01:00:00"];
        string[] jwt =
        [
            .. common, "--Security:Authentication=Jwt", $"--Security:Jwt:JwksFile={keys}", "--Security:Jwt:Issuer=https://issuer.test",
            "--Security:Jwt:Audience=dicom-proxy",
        ];
        string[] policy = [.. jwt, "--Security:Access:Default=Policy", "--Security:Access:Rules:ct:Backends:0=east"];
        using var none = await ProxyProcess.StartAsync(common);
        using var withTokens = await ProxyProcess.StartAsync(jwt);
        using var withRules = await ProxyProcess.StartAsync(policy);
        using var client = Bench.NewClient();
        client.DefaultRequestHeaders.Authorization = new("Bearer", Sign(key));

        const string series = $"dicomweb/studies/{FixedPacs.Study}/series/{FixedPacs.Series}";
        var small = $"{series}/instances/{FixedPacs.InstanceUid(1)}/metadata";
        (string Name, ProxyProcess Proxy)[] proxies = [("None", none), ("Jwt", withTokens), ("Jwt + Policy", withRules)];
        foreach (var (_, proxy) in proxies) await Bench.AskAsync(client, new Uri(proxy.Root, series + "/metadata"), Bench.JsonAccept);
        await MeasureAsync("frame", proxies, proxy => Bench.AskAsync(
            client, new Uri(proxy.Root, "dicomweb/" + FixedPacs.FramePath(1)), Bench.FrameAccept));
        await MeasureAsync("small metadata", proxies, proxy => Bench.AskAsync(client, new Uri(proxy.Root, small), Bench.JsonAccept));
    }

    private static async Task MeasureAsync(string what, (string Name, ProxyProcess Proxy)[] proxies, Func<ProxyProcess, Task<long>> ask)
    {
        var used = proxies.Select(_ => new List<double>()).ToArray();
        // The first rounds compile.
        for (var round = -3; round < Rounds; round++)
        {
            for (var n = 0; n < proxies.Length; n++)
            {
                // Each order as often: the first of a round finds a processor that others have heated.
                var at = (n + round + 3) % proxies.Length;
                var before = proxies[at].Proxy.ProcessorTime;
                for (var i = 0; i < Batch; i++) await ask(proxies[at].Proxy);
                if (round >= 0) used[at].Add((proxies[at].Proxy.ProcessorTime - before).TotalMicroseconds / Batch);
            }
        }
        var mark = Median(used[0]);
        for (var n = 0; n < proxies.Length; n++)
        {
            var time = Median(used[n]);
            Console.WriteLine($"{what} hit, {proxies[n].Name}: {time:F0} us of processor time, {time / mark:F3} x None");
        }
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static string DescribeKey(RSA key)
    {
        var half = key.ExportParameters(includePrivateParameters: false);
        return JsonSerializer.Serialize(new
        {
            keys = new[]
            {
                new
                {
                    kty = "RSA",
                    kid = "1",
                    use = "sig",
                    n = Base64Url.EncodeToString(half.Modulus),
                    e = Base64Url.EncodeToString(half.Exponent),
                },
            },
        });
    }

    private static string Sign(RSA key)
    {
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        var claims = JsonSerializer.Serialize(new
        {
            iss = "https://issuer.test",
            aud = "dicom-proxy",
            sub = "anna",
            exp = now + 36_000,
            roles = Enumerable.Range(0, 20).Select(n => $"group-{n}"),
        });
        var signed = $"{Encode("""{"alg":"RS256","kid":"1","typ":"at+jwt"}""")}.{Encode(claims)}";
        var signature = key.SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return $"{signed}.{Base64Url.EncodeToString(signature)}";

        static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }
}
