using System.Collections.Immutable;
using System.Reflection;
using System.Runtime.Loader;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Proxy.Tests.Tracing;

/// <summary>A method of the product.</summary>
/// <param name="Type">The name of the outermost type that contains it.</param>
/// <param name="File">The path of its source file.</param>
public sealed record TracedMethod(string Type, string File);

/// <summary>A second copy of the product in this process, in which every method reports its calls to <see cref="Trace"/>.</summary>
public sealed class TracedProduct
{
    private static readonly Lazy<TracedProduct> Loaded = new(() => new TracedProduct());

    private TracedProduct()
    {
        var methods = ImmutableArray.CreateBuilder<TracedMethod>();
        using var copy = new MemoryStream();
        using (var product = AssemblyDefinition.ReadAssembly(typeof(Program).Assembly.Location, new() { ReadSymbols = true }))
        {
            var visit = product.MainModule.ImportReference(typeof(Trace).GetMethod(nameof(Trace.Visit)));
            foreach (var method in product.MainModule.GetTypes().SelectMany(type => type.Methods).Where(method => method.HasBody))
            {
                // A method without a line in a source file is the compiler's.
                if (method.DebugInformation.SequencePoints.FirstOrDefault(point => !point.IsHidden) is not { } line) continue;
                var body = method.Body.GetILProcessor();
                var first = method.Body.Instructions[0];
                body.InsertBefore(first, body.Create(OpCodes.Ldc_I4, methods.Count));
                body.InsertBefore(first, body.Create(OpCodes.Call, visit));
                methods.Add(new(GetOutermost(method.DeclaringType).Name.Split('`')[0], line.Document.Url));
            }
            product.Write(copy);
        }
        Methods = methods.ToImmutable();
        copy.Position = 0;
        Assembly = new AssemblyLoadContext("traced").LoadFromStream(copy);
    }

    /// <summary>The only copy; it is made at the first use.</summary>
    public static TracedProduct Instance => Loaded.Value;

    /// <summary>The assembly of the copy.</summary>
    public Assembly Assembly { get; }

    /// <summary>The methods by the numbers that a trace contains.</summary>
    public ImmutableArray<TracedMethod> Methods { get; }

    private static TypeDefinition GetOutermost(TypeDefinition type)
    {
        while (type.DeclaringType is { } outer) type = outer;
        return type;
    }
}
