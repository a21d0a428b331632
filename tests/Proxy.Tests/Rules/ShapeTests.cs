using System.Reflection;
using System.Runtime.CompilerServices;
using Xunit;

namespace Proxy.Tests.Rules;

/// <summary>Shapes of signatures in <c>src</c>.</summary>
public sealed class ShapeTests
{
    private const int MaxConstructorParameters = 7;

    private const BindingFlags Declared =
        BindingFlags.DeclaredOnly | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static;

    private static IEnumerable<Type> Types => typeof(Program).Assembly.GetTypes().Where(t => !IsGenerated(t));

    private static IEnumerable<MethodBase> Methods => Types
        .SelectMany(t => t.GetMethods(Declared).Cast<MethodBase>().Concat(t.GetConstructors(Declared)))
        .Where(m => !IsGenerated(m) && !typeof(Delegate).IsAssignableFrom(m.DeclaringType) && !m.Name.Contains(
            '<', StringComparison.Ordinal) && !IsRecordMember(m));

    [Fact]
    public void AConstructorHasAtMostSevenParameters() => Assert.Empty(
        Methods.OfType<ConstructorInfo>().Where(c => c.GetParameters().Length > MaxConstructorParameters)
            .Select(c => c.DeclaringType!.Name));

    [Fact]
    public void TheCancellationTokenIsTheLastParameter() =>
        Assert.Empty(
            from method in Methods
            let parameters = method.GetParameters()
            let last = parameters.Length - 1
            where parameters.Where((p, at) => p.ParameterType == typeof(CancellationToken) && !IsTokenOrOptional(parameters[at..])).Any()
            select Describe(method));

    [Fact]
    public void NoTwoBooleanParametersAreAdjacent() => Assert.Empty(
        Methods.Where(HasAdjacentBooleans).Select(m => $"{m.DeclaringType!.Name}.{m.Name}"));

    private static bool HasAdjacentBooleans(MethodBase method)
    {
        var parameters = method.GetParameters();
        return parameters.Zip(parameters.Skip(1)).Any(pair => pair.First.ParameterType == typeof(bool)
            && pair.Second.ParameterType == typeof(bool));
    }

    /// <summary>Other tokens and optional parameters may follow a token.</summary>
    private static bool IsTokenOrOptional(ParameterInfo[] parameters) =>
        parameters.All(p => p.ParameterType == typeof(CancellationToken) || p.IsOptional || p.IsDefined(typeof(ParamArrayAttribute)));

    private static bool IsGenerated(MemberInfo member) =>
        member.IsDefined(typeof(CompilerGeneratedAttribute)) || member.Name.Contains('<', StringComparison.Ordinal)
        || member.DeclaringType is { } outer && IsGenerated(outer);

    private static bool IsRecordMember(MethodBase method) => method.Name is "Deconstruct" or "Equals" or "PrintMembers" or "GetHashCode";

    private static string Describe(MethodBase method) =>
        $"{method.DeclaringType}.{method.Name}({string.Join(", ", method.GetParameters().Select(p => p.Name))})";
}
